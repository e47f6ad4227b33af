import scripted

assert scripted
