"""The commands of limen: what they write, what they refuse, and their exit codes."""

import json
import os
import re
import shutil
import subprocess

import pytest
from server import ROOT, build_dir

CONTRACT = """openapi: 3.1.0
info: { title: t, version: "1" }
x-rate-limit: 1/second per address
paths:
  /tree:
    post:
      operationId: plant
      security: []
      requestBody: { content: { application/json: { schema: { $ref: '#/components/schemas/Tree' } } } }
      responses: { '204': { description: d } }
components:
  schemas:
    Tree:
      type: object
      additionalProperties: false
      properties:
MEMBERS"""


def limen(folder, *arguments):
    return subprocess.run([build_dir() / "limen", *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=30,
                          env={"ASAN_OPTIONS": "detect_leaks=0", "PATH": "/usr/bin:/bin"})  # fmt: skip


def gen(folder, *members):
    (folder / "api.yaml").write_text(CONTRACT.replace("MEMBERS", "".join(f"        {member}\n" for member in members)))
    return limen(folder, "gen", "--app", "tree")


def test_a_schema_inside_itself_is_a_slice_of_json(tmp_path):
    run = gen(tmp_path, "left: { $ref: '#/components/schemas/Tree' }",
              "kids: { type: array, maxItems: 3, items: { $ref: '#/components/schemas/Tree' } }")  # fmt: skip
    assert run.returncode == 0, run.stderr
    header = (tmp_path / "api.h").read_text()
    assert "    limen_str left;\n    bool has_left;\n    limen_str kids;\n    bool has_kids;\n} tree;" in header


def test_what_a_statement_ends_the_call_with_is_in_its_code(tmp_path):
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_notes.sql").write_text("CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL) STRICT;\n")
    change = "UPDATE notes SET text = 'x' WHERE id = :id"
    (tmp_path / "queries.sql").write_text(
        f"-- name: change(id int) :returning else 404 \"no \\such\\ note\"\n{change} RETURNING id;\n\n"
        f"-- name: change_any(id int) :returning\n{change} RETURNING id;\n\n"
        f"-- name: change_one(id int) :must else 409 \"gone\"\n{change};\n"
    )
    run = gen(tmp_path, "a: { type: boolean }")
    assert run.returncode == 0, run.stderr
    code, header = (tmp_path / "queries.c").read_text(), (tmp_path / "queries.h").read_text()
    of = lambda name: re.search(rf"static const limen_statement {name}_statement = {{(.*?)}};", code, re.DOTALL)[1]
    assert '.else_status = 404, .else_text = "no \\\\such\\\\ note"' in of("change"), of("change")
    assert "else" not in of("change_any")
    assert '.else_status = 409, .else_text = "gone"' in of("change_one")
    assert "after limen_commit, or the call is answered 404. */\nconst change_row *change(" in header
    assert "after limen_commit. */\nconst change_any_row *change_any(" in header


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("fooBar", "foo_bar", "foo_bar"),
        ("foo", "hasFoo", "has_foo"),
        ("has_foo", "foo", "has_foo"),
        ("foo-bar", "fooBar", "foo_bar"),
    ],
)
def test_members_with_one_name_in_c_are_refused(tmp_path, first, second, name):
    run = gen(tmp_path, f"{first}: {{ type: boolean }}", f"{second}: {{ type: boolean }}")
    assert run.returncode == 1
    assert f"'{first}' and '{second}' would both be called '{name}' in C" in run.stderr
    assert "api.yaml:18:9: error" in run.stderr and "rename one of the two" in run.stderr
    assert not (tmp_path / "api.h").exists()


def compile_tree(folder, statement):
    (folder / "tree.c").write_text('#include "api.h"\nlimen_reply plant(limen_call *call, const plant_in *in)\n'
                                   f"{{ {statement} }}\n")  # fmt: skip
    compiled = subprocess.run(["gcc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-c", f"-I{ROOT}/include", "-I.", "tree.c", "api.c",
                               "queries.c"], cwd=folder, capture_output=True, text=True)  # fmt: skip
    assert compiled.returncode == 0, compiled.stderr


def test_keywords_of_c_are_names_all_the_same(tmp_path):
    run = gen(tmp_path, "default: { type: boolean }", "int: { type: boolean }", "while: { type: boolean }")
    assert run.returncode == 0, run.stderr
    compile_tree(tmp_path, "return in->body.default_ ? plant_204(call) : plant_204(call);")


def test_no_name_of_a_contract_is_code(tmp_path):
    run = gen(tmp_path, r"""'a"b\c??/': { type: boolean }""", r"""state: { type: string, enum: ['??=', "x\ny\u00011"] }""")
    assert run.returncode == 0, run.stderr
    compile_tree(tmp_path, "return in->body.a_b_c___ ? plant_204(call) : plant_204(call);")
    contract = CONTRACT.replace("MEMBERS", "        a: { type: boolean }\n").replace("/tree:", "'/a*/ evil /*/tree':")
    (tmp_path / "api.yaml").write_text(contract)
    assert limen(tmp_path, "gen", "--app", "tree").returncode == 0
    compile_tree(tmp_path, "(void)in; return plant_204(call);")


@pytest.mark.parametrize("name", ["close", "accept", "getaddrinfo", "SSL_free"])
def test_an_operation_with_the_name_of_a_librarys_function_is_refused(tmp_path, name):
    """The linker would give the app's function to whoever calls the library's."""
    contract = CONTRACT.replace("MEMBERS", "        a: { type: boolean }\n").replace("operationId: plant", f"operationId: {name}")
    (tmp_path / "api.yaml").write_text(contract)
    run = limen(tmp_path, "gen", "--app", "tree")
    is_function = name.islower()  # names of handlers are
    assert run.returncode == int(is_function), run.stderr
    assert not is_function or f"would have the C name '{name}' of a library's function" in run.stderr


def test_a_member_with_an_empty_name_is_refused(tmp_path):
    run = gen(tmp_path, "'': { type: boolean }")
    assert run.returncode == 1 and "a member with an empty name has none in C" in run.stderr


@pytest.mark.parametrize(
    "rest",
    [
        "additionalProperties: false, maxProperties: 9, patternProperties: { '^x': { type: boolean } }",
        "unevaluatedProperties: false, if: { required: [a] }, then: { properties: { b: { type: boolean } } }",
        "unevaluatedProperties: false, dependentSchemas: { a: { properties: { b: { type: boolean } } } }",
    ],
)
def test_an_object_with_members_beside_its_properties_is_a_slice_of_json(tmp_path, rest):
    """A struct has no place for them: a valid body would have been answered with 500."""
    run = gen(tmp_path, f"leaf: {{ type: object, properties: {{ a: {{ type: boolean }} }}, {rest} }}")
    assert run.returncode == 0, run.stderr
    assert "    limen_str leaf;\n" in (tmp_path / "api.h").read_text()


def test_a_closed_object_with_a_condition_is_a_struct(tmp_path):
    run = gen(tmp_path, "leaf: { type: object, properties: { a: { type: boolean } }, additionalProperties: false, if: { required: [a] } }")
    assert run.returncode == 0, run.stderr
    assert "    tree_leaf leaf;\n" in (tmp_path / "api.h").read_text()


def test_an_array_of_objects_without_a_name_of_their_own(tmp_path):
    leaf = "{ type: object, additionalProperties: false, properties: { green: { type: boolean } } }"
    run = gen(tmp_path, f"leaves: {{ type: array, maxItems: 3, items: {leaf} }}")
    assert run.returncode == 0, run.stderr
    compile_tree(tmp_path, "return in->body.leaves.items[0].green ? plant_204(call) : plant_204(call);")


def test_the_report_in_each_form(tmp_path):
    shop = ROOT / "apps" / "shop" / "api.yaml"
    table = limen(tmp_path, "check", "--report", shop)
    assert table.returncode == 0
    lines = [line for line in table.stdout.splitlines() if "/api/" in line]
    assert len(lines) == 15 and "\x1b" not in table.stdout
    for form in "table", "markdown", "html":
        shown = limen(tmp_path, "check", "--report", "--format", form, shop).stdout
        assert re.search(r"signing in: \d+/\w+ per account and address, \d+/\w+ per account$", shown, re.MULTILINE)
    report = json.loads(limen(tmp_path, "check", "--report", "--format", "json", shop).stdout)
    assert "checkout" in json.dumps(report)
    assert limen(tmp_path, "check", "--report", "--format", "markdown", shop).stdout.count("\n|") >= 12
    assert "<table" in limen(tmp_path, "check", "--report", "--format", "html", shop).stdout


def test_what_no_worker_of_the_memory_that_is_set_could_admit_is_refused(tmp_path):
    shop = ROOT / "apps" / "shop" / "api.yaml"
    report = json.loads(limen(tmp_path, "check", "--format", "json", "--worker-memory", "512MiB", shop).stdout)
    assert len(report) == 15
    small = limen(tmp_path, "check", "--report", "--worker-memory", "16MiB", shop)
    assert (small.returncode, small.stdout) == (1, ""), "and no report"
    refused = re.findall(r"api\.yaml:\d+:\d+: error: a call of '(\w+)' may need \d+ KiB, and a worker .* has 1\d\d\d KiB for one call", small.stderr)
    assert set(refused) == {"listOrders", "adminListOrders", "hearOfPayment"} and "raise --worker-memory" in small.stderr
    for wrong in "8MiB", "much", "-1", "":
        run = limen(tmp_path, "check", "--worker-memory", wrong, shop)
        assert run.returncode == 2 and "usage" in run.stderr, wrong


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "usage: limen"),
        (["--help"], 0, "usage: limen"),
        (["chekc"], 2, "chekc"),
        (["check", "--frobnicate"], 2, "usage"),
        (["check", "nothing.yaml"], 2, "nothing.yaml"),
        (["check", "--format", "pdf"], 2, "usage"),
        (["gen"], 2, "usage"),
        (["gen", "--help"], 0, "usage: limen gen"),
        (["migrate", "--help"], 0, "usage"),
    ],
)
def test_exit_codes(tmp_path, arguments, status, words):
    run = limen(tmp_path, *arguments)
    assert run.returncode == status, run
    assert words in run.stdout + run.stderr


def test_an_apps_commands_find_the_database_that_run_takes(tmp_path):
    """limen.yaml is read by all of them; the environment and a flag win over it."""
    def shop(*arguments, **env):
        return subprocess.run([build_dir() / "shop", *arguments], env={**os.environ, **env}, cwd=tmp_path, capture_output=True, text=True)

    (tmp_path / "limen.yaml").write_text("database: sqlite:named.db\n")
    for env, name in [({}, "named.db"), ({"LIMEN_DATABASE": "sqlite:other.db"}, "other.db")]:
        assert shop("effects", "list", **env).returncode == 1, "there is no database yet"
        assert shop("migrate", "--apply", **env).returncode == 0
        for command in ["effects", "list"], ["keys", "list"], ["migrate"]:
            done = shop(*command, **env)
            assert done.returncode == 0, done
        assert (tmp_path / name).exists()
    (tmp_path / "limen.yaml").write_text("databse: sqlite:named.db\n")
    for command in ["effects", "list"], ["keys", "list"], ["migrate"]:
        done = shop(*command)
        assert done.returncode == 2 and "there is no setting 'databse'" in done.stderr
        assert shop(*command, "--database", "sqlite:named.db").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".db") == ["named.db", "other.db"]


def test_chaos_is_found_beside_the_command_and_from_no_other_folder(installed, tmp_path):
    env = dict(installed, PYTHONDONTWRITEBYTECODE="1")
    said = subprocess.run(["limen", "chaos", "--help"], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0 and "limen chaos APP --workload FILE" in said.stdout, said.stderr
    shutil.copy(shutil.which("limen", path=env["PATH"]), tmp_path / "limen")
    said = subprocess.run([tmp_path / "limen", "chaos", "--help"], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 1 and "the harness is not installed beside this program" in said.stderr
