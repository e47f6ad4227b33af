OTHER = "not named, so not packed"
