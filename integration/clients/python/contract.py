"""What a program says to the suite: see ../doc.go."""
import faulthandler
import inspect
import json
import sys
import traceback


def saw(script, step, what):
    print(json.dumps({"script": script, "step": step, "saw": what}), flush=True)


def restart(script):
    """Asks for brokers to be restarted, and returns when they are."""
    print(json.dumps({"script": script, "ask": "restart"}), flush=True)
    if sys.stdin.readline() != "done\n":
        raise RuntimeError("the suite has gone")


async def play(client, scripts):
    """Runs the scripts that the command line names: each a function of the bootstrap address and of what reports an observation."""
    faulthandler.dump_traceback_later(340, exit=True)  # which is where a script hangs
    brokers, names = sys.argv[1], sys.argv[2:]
    for name in names:
        of = name.partition("/")[2]

        def say(step, what, name=name):
            saw(name, step, what)

        try:
            result = scripts[of](brokers, say)
            if inspect.isawaitable(result):
                await result
        except Exception:
            print(f"{name}:", file=sys.stderr)
            traceback.print_exc()
            sys.exit(1)
        print(json.dumps({"script": name, "end": True}), flush=True)
