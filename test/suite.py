"""What suites in Python share: the lines that test/run.sh counts, and how one ends."""
import sys

failed = 0
quiet = False  # of what holds and of what does not


def ok(condition, text, more=""):
    """Tells whether it holds, and `more` where it does not."""
    global failed
    failed += not condition
    if not quiet:
        print(f"ok - {text}" if condition else f"not ok - {text} {str(more)[-800:]}", flush=True)
    return condition


def finish():
    sys.exit(failed != 0)
