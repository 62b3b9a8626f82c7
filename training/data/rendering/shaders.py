"""GLSL of the rasteriser: shading at three samples along each side of a pixel, then one pixel out of nine."""

from __future__ import annotations

from training.data.rendering.lighting import MOST_LIGHTS

SAMPLES = 3  # along each side of a pixel; odd, so that one lies in its middle

VERTEX = """
#version 330
uniform mat4 camera;
in vec3 in_position;
in vec4 in_normal;
in vec4 in_color;
in vec4 in_surface;
in vec2 in_uv;
out vec3 position;
out vec3 normal;
out vec4 albedo;
out vec2 surface;
out vec2 uv;
void main() {
    position = in_position;
    normal = in_normal.xyz;
    albedo = vec4(pow(in_color.rgb, vec3(2.2)), in_color.a);
    surface = in_surface.xy;
    uv = in_uv;
    gl_Position = camera * vec4(in_position, 1.0);
}
"""
# Mirrored light is GGX for the lights; for the ambient gradient it is Karis' fit ("Physically based shading
# on mobile", 2014). Glass is drawn as a screen of samples, so that no order of faces matters.
FRAGMENT = f"""
#version 330
#define MOST {MOST_LIGHTS}
#define SAMPLES {SAMPLES}
uniform vec3 eye;
uniform int n_lights;
uniform vec3 toward[MOST];
uniform vec3 power[MOST];
uniform float wrap[MOST];
uniform vec3 zenith;
uniform vec3 horizon;
uniform vec3 ground;
uniform float rim;
uniform float gloss;
uniform bool textured;
uniform sampler2D base;
in vec3 position;
in vec3 normal;
in vec4 albedo;
in vec2 surface;
in vec2 uv;
layout(location = 0) out vec4 color;
layout(location = 1) out vec4 facing;

vec3 ambient(float up) {{
    return mix(horizon, up > 0.0 ? zenith : ground, abs(up));
}}

vec3 mirrored(vec3 n, vec3 view, vec3 f0, float roughness) {{
    float a = max(roughness * roughness, 0.02), nv = max(dot(n, view), 1e-3);
    float k = a / 2.0;
    vec4 r = roughness * vec4(-1.0, -0.0275, -0.572, 0.022) + vec4(1.0, 0.0425, 1.04, -0.04);
    float a004 = min(r.x * r.x, exp2(-9.28 * nv)) * r.x + r.y;
    float up = reflect(-view, n).z;
    vec3 sky = mix(ambient(up), 0.25 * (zenith + ground) + 0.5 * horizon, roughness);
    vec3 light = sky * (f0 * (-1.04 * a004 + r.z) + 1.04 * a004 + r.w);
    for (int i = 0; i < n_lights; i++) {{
        float nl = dot(n, toward[i]);
        if (nl <= 0.0) continue;
        vec3 h = normalize(toward[i] + view);
        float nh = max(dot(n, h), 0.0), d = nh * nh * (a * a - 1.0) + 1.0;
        float shape = a * a / (d * d) / (4.0 * (nl * (1.0 - k) + k) * (nv * (1.0 - k) + k));
        vec3 fresnel = f0 + (1.0 - f0) * pow(1.0 - max(dot(h, view), 0.0), 5.0);
        light += fresnel * min(shape, 30.0) * nl * power[i];
    }}
    return light;
}}

void main() {{
    vec4 own = albedo;
    if (textured) {{
        vec4 texel = texture(base, uv);
        if (texel.a < 0.5) discard;
        own.rgb *= texel.rgb;
    }}
    if (own.a < 0.99) {{
        ivec2 cell = ivec2(gl_FragCoord.xy) % SAMPLES;
        int order = (cell.x + SAMPLES * cell.y) * 4 % (SAMPLES * SAMPLES);
        if (own.a < (float(order) + 0.5) / float(SAMPLES * SAMPLES)) discard;
    }}
    vec3 view = normalize(eye - position);
    vec3 n = normalize(normal);
    n = dot(n, view) < 0.0 ? -n : n;
    vec3 light = ambient(n.z);
    for (int i = 0; i < n_lights; i++) {{
        float reach = max(dot(n, toward[i]) + wrap[i], 0.0) / (1.0 + wrap[i]);
        light += power[i] * pow(reach, 1.0 + wrap[i]);
    }}
    light -= rim * pow(1.0 - max(dot(n, view), 0.0), 3.0);
    float metal = gloss * surface.y;
    vec3 shown = own.rgb * (1.0 - metal) * max(light, 0.0);
    if (gloss > 0.0) shown += gloss * mirrored(n, view, mix(vec3(0.04), own.rgb, metal), surface.x);
    color = vec4(pow(clamp(shown, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
    facing = vec4(0.5 + 0.5 * n, 1.0);
}}
"""
SCREEN = """
#version 330
void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    gl_Position = vec4(corner, 0.0, 1.0);
}
"""
# Colour is the mean of what is covered, opacity its share; depth and normal are the middle sample's, or else
# the nearest one's, so that thin parts have them too. Depth is packed into two bytes of `far`.
RESOLVE = f"""
#version 330
#define SAMPLES {SAMPLES}
uniform sampler2D colors;
uniform sampler2D facings;
uniform sampler2D depths;
uniform vec2 range;
uniform vec2 planes;
layout(location = 0) out vec4 color;
layout(location = 1) out vec4 facing;
layout(location = 2) out vec4 far;
void main() {{
    ivec2 first = ivec2(gl_FragCoord.xy) * SAMPLES, best = first + SAMPLES / 2;
    vec4 sum = vec4(0.0);
    float depth = texelFetch(depths, best, 0).r;
    bool middle = depth < 1.0;
    for (int y = 0; y < SAMPLES; y++) {{
        for (int x = 0; x < SAMPLES; x++) {{
            ivec2 at = first + ivec2(x, y);
            vec4 found = texelFetch(colors, at, 0);
            sum += vec4(found.rgb * found.a, found.a);
            float here = texelFetch(depths, at, 0).r;
            if (!middle && here < depth) {{
                depth = here;
                best = at;
            }}
        }}
    }}
    color = vec4(sum.rgb / max(sum.a, 1.0), sum.a / float(SAMPLES * SAMPLES));
    facing = depth < 1.0 ? texelFetch(facings, best, 0) : vec4(0.5, 0.5, 0.5, 0.0);
    float z = 2.0 * planes.x * planes.y / (planes.y + planes.x - (2.0 * depth - 1.0) * (planes.y - planes.x));
    float share = clamp((z - range.x) / (range.y - range.x), 0.0, 1.0);
    float steps = depth < 1.0 ? 1.0 + round(share * 4094.0) : 0.0;
    far = vec4(floor(steps / 256.0) / 255.0, mod(steps, 256.0) / 255.0, 0.0, 1.0);
}}
"""
