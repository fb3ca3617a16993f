"""Models of the Hugging Face hub, and of folders: what they are made of, as entries of a models.yaml.

`client` asks the hub, `folder` reads a folder of this machine, `recipes` knows the files of each family, and `adding`
puts them together. What a hub says is not trusted: file names, sizes, hosts, licences and configurations.
"""
