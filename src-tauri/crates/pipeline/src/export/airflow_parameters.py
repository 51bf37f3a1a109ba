

def written(value):
    """A value as YAML and JSON both read it: YAML's numbers need a point before an exponent."""
    if isinstance(value, float) and "e" in repr(value) and "." not in repr(value):
        return repr(value).replace("e", ".0e")
    return json.dumps(value, ensure_ascii=False)


def set_parameters(params):
    """Writes the parameters of this run into their files, as `dvc exp run -S` does."""
    for file, parts in PARAMETERS.items():
        text = ""
        for part in parts:
            if isinstance(part, str):
                text += part
            else:
                name, value, as_written = part
                same = type(params[name]) is type(value) and params[name] == value
                text += as_written if same else written(params[name])
        path = Path(PROJECT, file)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            whole = path.with_name(f".{path.name}.lapwing")
            whole.write_text(text, encoding="utf-8")
            whole.replace(path)
