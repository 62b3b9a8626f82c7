"""What is kept with the file: settings of the next request in the scene, provenance on each object."""

from __future__ import annotations

import bpy

from .core.offers import MAKES, MODES

DETAIL_CELLS: dict[str, int | None] = {"AUTO": None, "DRAFT": 64, "NORMAL": 128, "FINE": 192}


def _something_chosen(settings: OMNI123_PG_scene, context: bpy.types.Context) -> None:
    """Whoever types or chooses an image will press the button: the backend loads its model meanwhile."""
    from . import runtime

    if settings.prompt.strip() or settings.instruction.strip() or settings.image is not None:
        runtime.warm_up()


class OMNI123_PG_scene(bpy.types.PropertyGroup):
    """Settings of the next request."""

    mode: bpy.props.EnumProperty(
        name="From",
        description="What to start from",
        items=[
            (mode, choice.label, choice.description, choice.icon, number)
            for number, (mode, choice) in enumerate(MODES.items())
        ],
        default="WORDS",
    )
    prompt: bpy.props.StringProperty(
        name="Prompt",
        description="What to make, in a few words",
        options={"TEXTEDIT_UPDATE"},
        update=_something_chosen,
    )
    instruction: bpy.props.StringProperty(
        name="Instruction",
        description="What to change, in a few words",
        options={"TEXTEDIT_UPDATE"},
        update=_something_chosen,
    )
    image_words: bpy.props.StringProperty(name="Words", description="What the image shows, where that helps")
    image: bpy.props.PointerProperty(
        name="Image",
        description="What the shape shall look like",
        type=bpy.types.Image,
        update=_something_chosen,
    )
    views_of: bpy.props.EnumProperty(
        name="Of",
        description="What to draw from six sides",
        items=[
            ("OBJECT", "Selected", "The active mesh as it is seen, with its modifiers"),
            ("WORDS", "Words", "What the words say; the shape that has these views comes with them"),
        ],
        default="OBJECT",
    )
    color: bpy.props.BoolProperty(
        name="Colour",
        description="Let shapes come coloured: their six views are drawn and laid onto the surface",
        default=True,
    )
    make: bpy.props.EnumProperty(
        name="Make",
        description="What comes of the words",
        items=[
            (task, choice.label, choice.description, number)
            for number, (task, choice) in enumerate(MAKES.items())
        ],
        default="text_to_shape",
    )
    use_box: bpy.props.BoolProperty(
        name="Fit Box", description="Give the shape the proportions and size of a box"
    )
    box: bpy.props.FloatVectorProperty(
        name="Box",
        description="Sides of the box along X, Y and Z",
        size=3,
        default=(1.0, 1.0, 1.0),
        min=0.001,
        max=1e6,
        soft_max=100.0,
        subtype="XYZ_LENGTH",
    )
    seed: bpy.props.IntProperty(
        name="Seed", description="The same seed, words and settings give the same shape", min=0
    )
    lock_seed: bpy.props.BoolProperty(
        name="Keep Seed", description="Use this seed again instead of a new one each time"
    )
    size: bpy.props.FloatProperty(
        name="Size",
        description="Length of the longest side",
        default=1.0,
        min=0.001,
        soft_max=100.0,
        subtype="DISTANCE",
    )
    use_guidance: bpy.props.BoolProperty(
        name="Set Guidance", description="Choose the guidance instead of leaving it to the model"
    )
    guidance: bpy.props.FloatProperty(
        name="Guidance",
        description="How closely to follow the words, at the price of variety",
        default=3.0,
        min=0.0,
        soft_max=10.0,
        max=100.0,
    )
    detail: bpy.props.EnumProperty(
        name="Detail",
        description="Resolution of the surface",
        items=[
            ("AUTO", "Automatic", "What the model was made for"),
            ("DRAFT", "Draft", "64 cells along each side: quick"),
            ("NORMAL", "Normal", "128 cells along each side"),
            ("FINE", "Fine", "192 cells along each side: slow, many faces"),
        ],
        default="AUTO",
    )
    use_faces: bpy.props.BoolProperty(
        name="Set Faces", description="Simplify the mesh instead of keeping every face of the surface"
    )
    faces: bpy.props.IntProperty(
        name="Faces",
        description="Simplify the mesh to about this many triangles",
        default=5_000,
        min=4,
        soft_max=100_000,
        max=5_000_000,
    )
    smoothing: bpy.props.FloatProperty(
        name="Smoothing",
        description="How much to even out the surface: 0 leaves it as it is",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )


class OMNI123_PG_object(bpy.types.PropertyGroup):
    """Where an object came from."""

    prompt: bpy.props.StringProperty(name="Prompt")
    seed: bpy.props.IntProperty(name="Seed")
    model: bpy.props.StringProperty(name="Model")
    job: bpy.props.StringProperty(name="Request")
    # Not an ID property, which would show up as an editable field among the artist's own
    tokens: bpy.props.StringProperty(
        name="Shape Tokens", description="The shape as a safetensors file of tokens", subtype="BYTE_STRING"
    )
    fingerprint: bpy.props.StringProperty(
        name="Fingerprint", description="Of the mesh that the tokens are the whole of; else empty"
    )
    previous: bpy.props.PointerProperty(
        name="Previous Mesh", description="The mesh before the last edit", type=bpy.types.Mesh
    )
    modifiers: bpy.props.StringProperty(
        name="Modifiers", description="Those the last edit switched off, a line for each"
    )
    # local = (canonical - center) * scale
    center: bpy.props.FloatVectorProperty(name="Canonical Center", size=3, precision=6)
    scale: bpy.props.FloatProperty(name="Canonical Scale", default=1.0, precision=6)


CLASSES = (OMNI123_PG_scene, OMNI123_PG_object)
