

def plain(text):
    """Text that Jinja gives back as it is."""
    return text.replace("{", "{{ '{' }}").replace("\r", "{{ '\\r' }}")


def script(stage, commands, shell, folder="", makes=(), keeps=()):
    """A stage as DVC runs it: what it makes is removed first, then its lines run one by one, each in a shell of its own."""
    lines = [f"cd -- {quote(PROJECT)} || exit $?"]
    lines += ["for bin in .venv/bin .venv-lapwing/bin; do"]
    lines += ['  if [ -d "$PWD/$bin" ]; then PATH="$PWD/$bin:$PATH"; fi', "done"]
    lines += [f"export PATH DVC_ROOT={quote(PROJECT)} DVC_STAGE={quote(stage)}"]
    lines += [f"rm -rf -- {quote(out)} || exit $?" for out in makes]
    for parent in dict.fromkeys(str(Path(out).parent) for out in [*makes, *keeps]):
        lines += [f"mkdir -p -- {quote(parent)} || exit $?"]
    if folder:
        lines += [f"cd -- {quote(folder)} || exit $?"]
    lines += [f"{shell} -c {quote(command)} || exit $?" for command in commands]
    return plain("\n".join(lines))


def shell(task_id, stage, commands, folder="", makes=(), keeps=(), **more):
    """A stage in the worker's own shell."""
    return BashOperator(
        task_id=task_id,
        task_display_name=stage,
        bash_command=script(stage, commands, "bash --noprofile --norc", folder, makes, keeps),
        skip_on_exit_code=None,
        **more,
    )
