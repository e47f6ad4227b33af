HERE = "sample.space"
