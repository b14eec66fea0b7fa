#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the Fortran module against the headers, and with a compiler against the standard:
fortran.py SOURCE [GFORTRAN]

Structures have the same members, of types that are the same in C, in the same order; enumerators have
the same numbers; functions are those of the headers, with the same parameters and results. Module,
example and guide are Fortran 2008, without a warning.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

source = pathlib.Path(sys.argv[1])
problems = []

# In an order in which they can be compiled.
MODULES = ["mw_c", "mw_bytes", "mw_program_parts", "mw_slave_side", "mw_master_side", "mw", "mw_mpi"]
# Of C -> of the module.
STRUCTURES = {"mw_result": "mw_result", "mw_master_counts": "mw_master_counts",
              "mw_slave_counts": "mw_slave_counts", "mw_algorithm": "mw_c_algorithm",
              "mw_program": "mw_c_program", "mw_policy": "mw_c_policy", "mw_task": "mw_c_task"}
ENUMERATIONS = ["mw_outcome", "mw_choice", "mw_group"]
NOT_OF_MW = {"strlen", "exit", "mw_fortran_call_fail", "mw_fortran_mpi_run", "mw_fortran_mpi_decline"}

SCALARS = {"int": "integer(c_int)", "unsigned": "integer(c_int)", "mw_error": "integer(c_int)",
           "mw_outcome": "integer(c_int)", "mw_choice": "integer(c_int)", "mw_group": "integer(c_int)",
           "size_t": "integer(c_size_t)", "int64_t": "integer(c_int64_t)",
           "uint64_t": "integer(c_int64_t)", "mw_task_id": "integer(c_int64_t)",
           "double": "real(c_double)", "bool": "logical(c_bool)", "void": ""}


def read_header(name):
    return re.sub(r"/\*.*?\*/", "", (source / "include/mw" / name).read_text(), flags=re.S)


def read_fortran(module):
    text = re.sub(r"!.*", "", (source / f"src/fortran/{module}.f90").read_text())
    return re.sub(r"\s*&\n\s*", " ", text)


header = "".join(read_header(name) for name in ["mw.h", "error.h", "version.h", "embed.h"])
fortran = read_fortran("mw_c")


def say(problem, module="mw_c"):
    problems.append(f"src/fortran/{module}.f90: {problem}")


def split_declaration(declaration):
    """"const char *sid" -> ("char *", "sid")"""
    declaration = " ".join(declaration.replace("const ", "").split())
    kind, name = re.match(r"(.*?)(\w+)$", declaration).groups()
    return kind.strip(), name


def member_type(kind):
    if kind.endswith("*"):
        return "type(c_funptr)" if kind.endswith("_fn *") else "type(c_ptr)"
    return SCALARS[kind]


def c_members(structure):
    body = re.search(rf"typedef struct {structure} {{(.*?)}} {structure};", header, re.S).group(1)
    declarations = [split_declaration(line) for line in body.split(";") if line.strip()]
    return [(name, member_type(kind)) for kind, name in declarations]


def fortran_members(structure):
    body = re.search(rf"type, bind\(c\) :: {structure}\n(.*?)end type", fortran, re.S).group(1)
    return [(name.strip(), kind.split(",")[0].strip())
            for kind, names in re.findall(r"(.*?) :: (.*)", body) for name in names.split(",")]


def check_structures():
    for c_name, fortran_name in STRUCTURES.items():
        if c_members(c_name) != fortran_members(fortran_name):
            say(f"{fortran_name} is {fortran_members(fortran_name)}, not {c_members(c_name)}")


def check_enumerations():
    numbers = [re.sub(r"\s|= 0", "", names).split(",")
               for names in re.findall(r"enumerator :: (.*)", fortran)]
    wanted = [["MW_OK"] + ["MW_" + name for name in re.findall(r"X\((\w+), ", header)]]
    for name in ENUMERATIONS:
        body = re.search(rf"typedef enum {name} {{(.*?)}} {name};", header, re.S).group(1)
        wanted.append(re.findall(r"MW_\w+", body))
    if numbers != wanted:
        say(f"the enumerators are {numbers}, not {wanted}")


def c_functions():
    """name -> type of the result, types of the parameters"""
    result = {}
    text = re.sub(r"MW_USE_RESULT|MW_PRINTF\([^)]*\)", "", header)
    for kind, name, parameters in re.findall(r"MW_API ([^;(]*?)(\w+)\(([^;]*)\)\s*;", text):
        parameters = [split_declaration(parameter) for parameter in parameters.split(",")
                      if parameter.strip() not in ("void", "...")]
        result[name] = (kind.replace("const ", "").strip(), [kind for kind, _ in parameters])
    return result


def parameter_type(kind, is_passed_by_value):
    """What a parameter or result of C may be in Fortran: a pointer may be an argument by reference."""
    if not kind.endswith("*"):
        return {f"{SCALARS[kind]}, value"} if is_passed_by_value else {SCALARS[kind]}
    target = kind[:-1].strip()
    if not is_passed_by_value:
        return {"type(c_ptr)"}
    references = {"void *": "type(c_ptr)", "char *": "type(c_ptr)", "mw_options *": "type(c_ptr)"}
    if target == "char":
        return {"type(c_ptr), value", "character(c_char)"}
    of_c = STRUCTURES.get(target, target)
    return {"type(c_ptr), value", f"type({of_c})",
            SCALARS.get(target) or references.get(target, f"type({of_c})")}


def interfaces_of(module):
    """What stands in the interface blocks, but for the abstract ones."""
    return "".join(re.findall(r"^    interface\n(.*?)^    end interface", read_fortran(module), re.S | re.M))


def check_functions(module):
    known = c_functions()
    procedures = re.findall(r"^ {8}(function|subroutine) (\w+)\((.*?)\)(.*?)\n(.*?)^ {8}end \1",
                            interfaces_of(module), re.S | re.M)
    if not procedures:
        say("tests/unit/fortran.py does not understand it any more", module)
    for _, name, parameters, suffix, body in procedures:
        bound = re.search(r"name='(\w+)'", suffix)
        c_name = bound.group(1) if bound else name
        if c_name in NOT_OF_MW:
            continue
        if c_name not in known:
            say(f"{c_name} is not in the headers", module)
            continue
        result = re.search(r"result\((\w+)\)", suffix)
        types = {}
        for kind, names in re.findall(r"^ +(\w+\(.*?\).*?) :: (.*)", body, re.M):
            for variable in names.split(","):
                variable = variable.strip().removesuffix("(*)")
                types[variable] = re.sub(r", intent\(\w+\)", "", kind)
        c_result, c_parameters = known[c_name]
        found = [types[parameter.strip()] for parameter in parameters.split(",") if parameter]
        wanted = [parameter_type(kind, True) for kind in c_parameters]
        if len(found) != len(wanted) or any(f not in w for f, w in zip(found, wanted)):
            say(f"{name} takes {found}, but C {c_parameters}", module)
        found_result = types[result.group(1)] if result else ""
        if found_result not in parameter_type(c_result, False):
            say(f"{name} returns {found_result}, but C {c_result}", module)


def write_guide(folder):
    """The guide's examples in a module; the path of its file."""
    guide = (source / "docs/guide.md").read_text()
    code = "".join(re.findall(r"^```fortran\n(.*?)^```", guide, re.S | re.M))
    path = pathlib.Path(folder) / "guide.f90"
    path.write_text("module guide\nuse, intrinsic :: iso_c_binding, only: c_int, c_ptr\n"
                    "use, intrinsic :: iso_fortran_env, only: int64, real64\nuse mw\nimplicit none\n"
                    f"contains\n{code}end module\n")
    return path


def check_standard(compiler):
    with tempfile.TemporaryDirectory() as folder:
        files = [source / f"src/fortran/{name}.f90" for name in MODULES]
        files += [source / "examples/monte_carlo_pi.f90", write_guide(folder)]
        flags = ["-std=f2008", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2", "-c"]
        run = subprocess.run([compiler, *flags, *[file.resolve() for file in files]], cwd=folder,
                             text=True, capture_output=True)
        if run.returncode != 0:
            problems.append(run.stderr)


check_structures()
check_enumerations()
check_functions("mw_c")
check_functions("mw_mpi")
if len(sys.argv) > 2:
    check_standard(sys.argv[2])
print("\n".join(problems) or "the Fortran module agrees with the headers")
sys.exit(bool(problems))
