"""Runs a model's code inside the sandbox, as a cell of a notebook: the value of a last line that is an
expression is printed, figures are pictures.

    run.py          the code is standard input

What it prints goes where it goes. Pictures go to descriptor 3, one after the other (src/tools/picture.c takes them):

    image/png 12345\\n and so many bytes

A picture is a figure of matplotlib that is open at the end or was shown, or else an image file left in the
folder. Nothing here guards anything: that is the sandbox's business, and the code may do to this process what
it likes."""
import ast
import os
import shutil
import sys
import traceback

MOST_PICTURES = 8
KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif"}

# Threads count as processes, and reserve memory; two cores gain little by them.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["MPLBACKEND"] = "agg"
os.environ["MPLCONFIGDIR"] = "/tmp/.matplotlib"
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
if os.path.isdir("/opt/tools/matplotlib"):  # its list of fonts takes seconds to make
    shutil.copytree("/opt/tools/matplotlib", os.environ["MPLCONFIGDIR"], copy_function=shutil.copyfile)

n_pictures = 0


def give(kind, data):
    global n_pictures
    if n_pictures < MOST_PICTURES and data:
        n_pictures += 1
        with os.fdopen(os.dup(3), "wb") as out:
            out.write(b"%s %d\n" % (kind.encode(), len(data)) + data)


def give_figures(*_, **__):
    from io import BytesIO

    import matplotlib.pyplot as plt
    for number in plt.get_fignums():
        png = BytesIO()
        plt.figure(number).savefig(png, format="png")
        give("image/png", png.getvalue())
        plt.close(number)


class ShowFigures:
    """plt.show() gives what is open: what is drawn next is another figure. Waits for pyplot to be imported."""

    def find_spec(self, name, path, target=None):
        if name != "matplotlib.pyplot":
            return None
        from importlib.machinery import PathFinder
        spec = PathFinder.find_spec(name, path)
        if spec and spec.loader:
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                module.show = give_figures
            spec.loader.exec_module = exec_module
        return spec


def give_files():
    for entry in sorted(os.scandir("."), key=lambda e: e.name):
        kind = KINDS.get(os.path.splitext(entry.name)[1].lower())
        if kind and entry.is_file(follow_symlinks=False) and entry.stat().st_size <= 4 << 20:
            with open(entry.path, "rb") as file:
                give(kind, file.read())


# Small models forget them; in a notebook somebody has imported them above.
USUAL = {name: name for name in (
    "math", "random", "re", "json", "itertools", "collections", "datetime", "statistics", "string", "functools",
    "time", "os", "sys", "decimal", "fractions", "calendar", "base64", "hashlib", "sympy")}
USUAL |= {"np": "numpy", "numpy": "numpy", "pd": "pandas", "pandas": "pandas", "plt": "matplotlib.pyplot"}


def import_forgotten(tree, names):
    """Modules that the code names and neither imports nor binds to anything."""
    import importlib
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    bound |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    bound |= {(a.asname or a.name).split(".")[0] for n in ast.walk(tree)
              if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names}
    for name in used - bound:
        if name in USUAL:
            try:
                names[name] = importlib.import_module(USUAL[name])
            except ImportError:
                pass  # the code's own NameError tells


def run(source):
    import types
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    tree = ast.parse(source, "code.py")
    import_forgotten(tree, main.__dict__)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "code.py", "exec"), main.__dict__)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "code.py", "eval"), main.__dict__)
        if value is not None:
            print(value if isinstance(value, str) else repr(value))


def tell(source):
    """What went wrong, without this program's own lines, and with the code's."""
    import linecache
    kind, value, trace = sys.exc_info()
    linecache.cache["code.py"] = (len(source), None, source.splitlines(True), "code.py")
    while trace and trace.tb_frame.f_code.co_filename != "code.py":
        trace = trace.tb_next
    traceback.print_exception(kind, value, trace)


def main():
    source = sys.stdin.buffer.read().decode("utf-8", "replace")
    sys.stdin = open(os.devnull)
    sys.argv = ["code.py"]
    sys.path.insert(0, os.getcwd())
    sys.meta_path.insert(0, ShowFigures())
    status = 0
    try:
        run(source)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if status == 1 and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        tell(source)
        status = 1
    if "matplotlib.pyplot" in sys.modules:
        try:
            give_figures()
        except Exception as error:
            print(f"The figure could not be drawn: {error}", file=sys.stderr)
    if not n_pictures:
        give_files()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 255)


main()
