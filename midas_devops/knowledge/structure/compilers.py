# ruff: noqa: E501, RUF001 (the patterns are the data)
"""Shapes of compilers, linkers and build generators."""

from __future__ import annotations

from midas_devops.domain.evidence import Category
from midas_devops.knowledge.structure.shapes import Shape, shape

_COMPILE = Category.COMPILE_ERROR
_BUG = Category.TOOL_OR_PROVIDER_BUG
_MEMORY = Category.RESOURCE_EXHAUSTION

# Extensions that tell a compiler's diagnostic from a checker's in the same `file:line: error:` form.
_NATIVE = (
    r"[\w./\\+@~ -]*\.(?:c|cc|cpp|cxx|c\+\+|h|hh|hpp|hxx|cu|cuh|inl|m|mm|f|f90|F90|ipp|tcc|ixx|proto|pyx|pxd)"
)
_OTHER = r"[\w./\\+@~ -]*\.(?:java|kt|kts|scala|swift|go|rs|hs|ml|dart|zig|d|vala|cs|fs|vb|groovy|S|asm|l|y)"

COMPILER_SHAPES: tuple[Shape, ...] = (
    shape(
        "compile", 84, _MEMORY, "The compiler was killed, most likely for lack of memory",
        r"(?:fatal error: Killed signal terminated program|internal compiler error: Killed|"
        r"cc1plus: out of memory|error C1060:|virtual memory exhausted: Cannot allocate|LLVM ERROR: out of memory)",
    ),
    shape(
        "compile", 80, _BUG, "The compiler itself crashed",
        r"internal compiler error: (?!Killed)|error: internal compiler error|^PLEASE submit a bug report to https?://.*llvm"
        r"|fatal error: error in backend|fatal error C1001:|thread 'rustc' panicked",
    ),
    shape(
        "compile", 74, _COMPILE, "The source does not compile",
        rf"(?:^|[\s>'\"(]){_NATIVE}:\d+(?::\d+)?: (?:fatal )?error(?: [A-Z]*\d+)?: (.+)", before=3, after=8,
    ),
    shape(
        "compile", 74, _COMPILE, "The source does not compile",
        rf"(?:^|[\s>'\"(]){_OTHER}:\d+(?::\d+)?:? (?:fatal )?error: (.+)", before=2, after=6,
    ),
    shape("compile", 74, _COMPILE, "The source does not compile",
          r"^\s*(?:\d+>)?[\w:./\\ -]+\.\w+ ?\(\d+(?:,\d+)?\) ?: (?:fatal )?error [A-Z]+\d+ ?: (.+)", before=2, after=4),
    shape("compile", 74, _COMPILE, "TypeScript does not compile",
          r"[\w./@-]+\.(?:ts|tsx|mts|cts|vue|svelte)(?:\(\d+,\d+\)|:\d+:\d+)(?::| -) error TS\d+: (.+)", before=1, after=6),
    shape("compile", 72, _COMPILE, "TypeScript does not compile", r"^(?:ERROR in |Error: )?.*\berror TS\d+: (.+)", after=6),
    shape("compile", 73, _COMPILE, "The Rust source does not compile", r"^error\[E\d{4}\]: (.+)", before=1, after=9),
    shape("compile", 73, _COMPILE, "The Kotlin source does not compile",
          r"^e: (?:file://)?/?[\w./\\-]+\.kts?:? ?\(?\d+[:,] ?\d+\)?:? (.+)", before=1, after=3),
    shape("compile", 73, _COMPILE, "The Java source does not compile",
          r"^\[ERROR\] /?[\w./\\:-]+\.(?:java|kt|scala|groovy):\[\d+(?:,\d+)?\] (.+)", before=2, after=5),
    shape("compile", 73, _COMPILE, "The Scala source does not compile",
          r"^\[error\] (?:-- .*Error: )?/?[\w./\\-]+\.scala:\d+(?::\d+)?: (.+)", before=1, after=4),
    shape("compile", 73, Category.DEPENDENCY_INSTALL, "A Go module that is imported is not among those required",
          r"^(?:\./|\.\./)*[\w./@-]+\.go:\d+:\d+: (?:no required module provides|cannot find (?:module|package)|missing go\.sum)",
          before=2, after=4, fixed=False),
    shape("compile", 72, _COMPILE, "The Go source does not compile",
          r"^(?:vet: )?(?:\./|\.\./)*[\w./@-]+\.go:\d+:\d+: (?!.*\(\w+\)$)(.+)", before=2, after=5),
    shape("compile", 71, _COMPILE, "The linker found no definition", r"undefined reference to [`'‘\"](.+)['’\"`]|"
          r"ld(?:\.lld|64\.lld|\.gold)?: error: (?:undefined symbol|duplicate symbol|unable to find library)|"
          r"Undefined symbols for architecture|error LNK20\d\d|duplicate symbol '", before=3, after=5),
    shape("compile", 71, _COMPILE, "The linker could not link",
          r"(?:/ld|^ld|ld\.lld|lld-link|link): (?:fatal )?(?:error: |cannot find |library .*not found|symbol\(s\) not found)"
          r"|fatal error LNK1\d\d\d", before=3, after=4),
    shape("compile", 73, Category.DEPENDENCY_INSTALL, "A package that the build needs was not found",
          r"^\s*CMake Error at [^\s:]+:\d+ \((?:find_package|find_dependency|pkg_\w+|_pkg_\w+)\)", before=1, after=7, fixed=False),
    shape("compile", 73, Category.INVALID_CONFIGURATION, "The build asks for another version of CMake",
          r"^\s*CMake Error at [^\s:]+:\d+ \(cmake_minimum_required\)", before=1, after=7, fixed=False),
    shape("compile", 72, _COMPILE, "The build could not be generated",
          r"^\s*CMake Error(?: at [^\s:]+:\d+ \(|: | in |:)", before=1, after=7, fixed=False),
    shape("compile", 70, _COMPILE, "The build has no rule for a file that it needs",
          r"No rule to make target [`'‘\"]?(.+)['’\"]?, needed by|ninja: error: (?!loading)(.+)|ninja: error: loading",
          after=3),
    shape("compile", 66, _COMPILE, "The makefile is not valid", r"^\S*[Mm]akefile\S*:\d+: \*\*\* (.+)", after=3),
    shape("compile", 71, _COMPILE, "Nothing could be bundled",
          r"^(?:Module not found: Error: |ERROR in (?=\./)|✘ \[ERROR\] |error during build:|\[vite\]:? Rollup failed|"
          r"Module build failed|SyntaxError: .*\.(?:jsx?|tsx?|vue): )(.*)", before=2, after=7),
    shape("compile", 68, _COMPILE, "Bazel could not build a target",
          r"^ERROR: \S+/BUILD(?:\.bazel)?:\d+:\d+: (.+)", after=8),
    shape("compile", 70, _COMPILE, "Python source is not valid",
          r"^(?:\*\*\* Error compiling |Sorry: (?:IndentationError|SyntaxError|TabError): )(.+)", after=6),
    shape("compile", 70, _COMPILE, "The Swift or Objective-C source does not compile",
          r"^❌ .*error: (.+)|^\s*error: cannot find '.+' in scope", after=4),
    shape("compile", 66, _COMPILE, "The Docker or bake file cannot be parsed",
          r"dockerfile parse error on line \d+: (.+)", after=6, fixed=False),
    shape("compile", 40, _COMPILE, "A compilation step failed", r"^FAILED: (?:\[code=\d+\] )?\S+\.(?:o|obj|so|a|dylib|pyd|cu\.o)\b",
          before=1, after=8),
)  # fmt: skip

COMPILER_WRAPPERS: tuple[Shape, ...] = (
    shape(
        "wrapper", 16, _COMPILE, "The build stopped",
        r"^ninja: build stopped|^(?:g|n|mingw32-)?make(?:\[\d+\])?: \*\*\* \[|collect2: error: ld returned|"
        r"error: could not compile `|clang(?:\+\+)?: error: linker command failed|aborting due to \d* ?previous error|"
        r"^\*\*\* CMake build failed|Configuring incomplete, errors occurred|^\*\* BUILD FAILED \*\*|"
        r"Command failed: tsc|Found \d+ errors? in |^\d+ errors? generated|^\d+ errors?$|^Build FAILED\.|"
        r"^make(?:\[\d+\])?: \*\*\* .*(?:Error \d+|Stop\.)|Target .* failed to build|^FAILED: Build did NOT complete",
        wrapper=True, fixed=False,
    ),
)  # fmt: skip
