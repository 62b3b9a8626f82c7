"""Assets: 3D files of any kind as objects of one kind, with their materials, parts, licence and origin."""
