"""Pictures of objects: cameras, lights, the OpenGL rasteriser, Blender, and the pipeline's views step."""
