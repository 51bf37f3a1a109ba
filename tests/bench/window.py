"""How long the window takes until it is usable, and how much memory it takes with the sample open.

    window.py FOLDER-OF-PROGRAMS [TIMES]

Starts `lapwing-desktop` on the sample under a virtual screen of its own and looks at the screen: usable is when the
picture has stopped changing. Memory is PSS over all its processes, WebKit's too. Needs Xvfb, xwd and root or the same user.
"""

import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

STILL_SECONDS = 2.0
# Looking without a pause would take one of two cores from the window.
POLL_SECONDS = 0.04
LIMIT_SECONDS = 60.0


def picture(display: str) -> str:
    taken = subprocess.run(
        ["xwd", "-root", "-silent", "-display", display],
        capture_output=True,
        check=False,
    )
    return hashlib.md5(taken.stdout).hexdigest()


def tree(pid: int) -> list[int]:
    """The process and everything below it."""
    children: dict[int, list[int]] = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting.extend(children.get(one, []))
    return found


def pss_megabytes(pid: int) -> float:
    total = 0
    for one in tree(pid):
        try:
            text = pathlib.Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(
            int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")
        )
    return total / 1024


def once(program: pathlib.Path, project: pathlib.Path, env: dict[str, str]) -> tuple[float, float]:
    display = env["DISPLAY"]
    before = picture(display)
    begun = time.monotonic()
    window = subprocess.Popen(
        ["dbus-run-session", "--", program, project],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    seen, changed = before, None
    try:
        while time.monotonic() - begun < LIMIT_SECONDS:
            time.sleep(POLL_SECONDS)
            now = picture(display)
            at = time.monotonic()
            if now != seen:
                seen, changed = now, at
            elif changed is not None and at - changed > STILL_SECONDS:
                break
        memory = pss_megabytes(window.pid)
    finally:
        os.killpg(window.pid, signal.SIGKILL)
        window.wait()
    if changed is None:
        raise SystemExit("no window came")
    return changed - begun, memory


def main() -> None:
    programs = pathlib.Path(sys.argv[1]).resolve()
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        env = os.environ | {
            "LAPWING_HOME": str(home / "workspace"),
            "HOME": str(home),
            "LAPWING_KEYCHAIN": "off",
            "NO_AT_BRIDGE": "1",
            "LANG": "C.UTF-8",
            "DISPLAY": f":{300 + os.getpid() % 500}",
        }
        screen = subprocess.Popen(
            ["Xvfb", env["DISPLAY"], "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
            stderr=subprocess.DEVNULL,
        )
        while not pathlib.Path(f"/tmp/.X11-unix/X{env['DISPLAY'][1:]}").exists():
            time.sleep(0.05)
        project = home / "sample"
        cli = programs / "lapwing"
        subprocess.run([cli, "projects", "sample", project], env=env, check=True, capture_output=True)
        try:
            results = [once(programs / "lapwing-desktop", project, env) for _ in range(times)]
        finally:
            screen.kill()
        begun = time.monotonic()
        for _ in range(20):
            subprocess.run([cli, "--version"], env=env, check=True, capture_output=True)
        version = (time.monotonic() - begun) / 20
    best = min(results)
    print(f"window usable after  {best[0]:.2f} s, best of {times} ({', '.join(f'{one[0]:.2f}' for one in results)})")
    print(f"memory with sample   {min(one[1] for one in results):.0f} MB PSS over all its processes")
    print(f"lapwing --version    {version * 1000:.0f} ms")
    print(f"load of the machine  {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
