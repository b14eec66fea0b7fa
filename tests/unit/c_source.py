# SPDX-License-Identifier: Apache-2.0
"""Reads C sources as far as dialect.py needs: comments, tokens, declarations, and the kinds of expressions.

This is no compiler. It relies on the layout that clang-format gives, skips macros, and answers None where the
text does not tell. The rules are in dialect.py; whoever needs to know more of the text extends File, of the
names in all files, Tree.
"""
import bisect
import re

KEYWORDS = set("""break case continue default do else for goto if return sizeof switch typedef while
    _Static_assert _Alignof _Generic""".split())
QUALIFIERS = set("static const volatile extern register inline restrict _Noreturn _Thread_local _Atomic".split())
TAGGED = {"struct", "union", "enum"}
NUMBERS = set("""char short int long signed unsigned float double size_t ssize_t ptrdiff_t off_t pid_t time_t
    intptr_t uintptr_t socklen_t mode_t uid_t mw_error mw_peer""".split())
NUMBERS |= {f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)}
# Functions of the C library that return a number or a pointer and are easily taken for a boolean.
NUMBER_CALLS = set("""strcmp strncmp strcasecmp memcmp strchr strrchr strstr strlen memchr getenv malloc calloc
    realloc strdup strndup fopen fclose fflush fork pipe kill close open unlink stat write read""".split())

COMMENT_OR_LITERAL = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M)
TOKEN = re.compile(r"[A-Za-z_]\w*|\.?\d[\w.]*|->|\+\+|--|<<=?|>>=?|[-+*/%&|^=!<>]=|&&|\|\||\.\.\.|\S")
COMPARISONS = {"==", "!=", "<", ">", "<=", ">=", "&&", "||", "!", "?"}
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
CONDITION_ENDS = {"&&", "||", "?", ":", ",", ";", "{", "}", "return", "case"} | ASSIGNMENTS
OPEN, CLOSE = {"(", "[", "{"}, {")", "]", "}"}


def is_name(token):
    return re.fullmatch(r"[A-Za-z_]\w*", token) is not None and token not in KEYWORDS


def blank(text):
    """Spaces of the same shape."""
    return re.sub(r"[^\n]", " ", text)


class File:
    """One source: its lines, its comments with the lines where they begin, and its code as tokens.

    The code is without comments and preprocessor directives; a literal is the token 0.
    """

    def __init__(self, source, path):
        self.path = path
        self.text = (source / path).read_text()
        self.lines = self.text.split("\n")
        self.line_starts = [0] + [match.end() for match in re.finditer("\n", self.text)]
        self.comments = []
        code = COMMENT_OR_LITERAL.sub(self.take_out, self.text)
        code = DIRECTIVE.sub(lambda match: blank(match.group()), code)
        found = list(TOKEN.finditer(code))
        self.tokens = [match.group() for match in found]
        self.places = [match.start() for match in found]
        self.partners = self.match_brackets()

    def take_out(self, match):
        text = match.group()
        if not text.startswith("/"):
            return "0" + blank(text[1:])
        self.comments.append((self.line_at(match.start()), text))
        return blank(text)

    def line_at(self, offset):
        return bisect.bisect_right(self.line_starts, offset)

    def line_of(self, token):
        return self.line_at(self.places[token])

    def text_of(self, begin, end):
        """The text of the tokens from begin to before end, on one line."""
        last = end - 1
        return " ".join(self.text[self.places[begin]:self.places[last] + len(self.tokens[last])].split())

    def match_brackets(self):
        partners, stack = {}, []
        for i, token in enumerate(self.tokens):
            if token in OPEN:
                stack.append(i)
            elif token in CLOSE and stack:
                start = stack.pop()
                partners[start], partners[i] = i, start
        return partners

    def after(self, i):
        """The token behind token i, or behind the bracket's partner if i is an opening bracket."""
        return self.partners.get(i, i) + 1 if self.tokens[i] in OPEN else i + 1

    def skip_to(self, i, ends):
        """The first token from i on that is one of ends, outside of brackets."""
        while i < len(self.tokens) and self.tokens[i] not in ends:
            i = self.after(i)
        return i


class Variable:
    """A name that a declaration introduces. depth counts the stars and brackets of its type."""

    def __init__(self, name, token, words, depth, is_function):
        self.name, self.token, self.words, self.depth, self.is_function = name, token, words, depth, is_function

    def kind(self, dereferenced=0):
        """"bool" or "number" (or pointer) when it is dereferenced so often; None if that cannot be told."""
        if self.depth != dereferenced:
            return "number" if self.depth > dereferenced else None
        if "bool" in self.words:
            return "bool"
        return "number" if "enum" in self.words or NUMBERS.intersection(self.words) else None


def read_type(file, i):
    """The words of the type that begins at token i, and the token behind it; None if no type begins there."""
    words, is_complete = [], False
    while i < len(file.tokens):
        token = file.tokens[i]
        is_number = token in NUMBERS and all(word in NUMBERS | QUALIFIERS for word in words)
        if token in QUALIFIERS:
            words.append(token)
            i += 1
        elif token in TAGGED and not is_complete:
            words.append(token)
            i += 1
            if i < len(file.tokens) and is_name(file.tokens[i]):
                words.append(file.tokens[i])
                i += 1
            if i < len(file.tokens) and file.tokens[i] == "{":
                i = file.after(i)
            is_complete = True
        elif is_name(token) and (not is_complete or is_number):
            words.append(token)
            i += 1
            is_complete = True
        else:
            break
    return (words, i) if is_complete else None


def read_declarator(file, i, words):
    """The variable that is declared at token i, behind its type, and the token behind it; or None."""
    tokens, stars = file.tokens, 0
    while i < len(tokens) and (tokens[i] == "*" or tokens[i] in QUALIFIERS):
        stars += tokens[i] == "*"
        i += 1
    if tokens[i:i + 2] == ["(", "*"] and is_name(tokens[i + 2]):
        return Variable(tokens[i + 2], i + 2, ["function"], 1, False), file.after(file.after(i))
    if i >= len(tokens) or not is_name(tokens[i]):
        return None
    name, i = i, i + 1
    brackets, is_function = 0, False
    while i < len(tokens) and tokens[i] in ("[", "("):
        is_function |= tokens[i] == "("
        brackets += tokens[i] == "["
        i = file.after(i)
    return Variable(tokens[name], name, words, stars + brackets, is_function), i


def read_declaration(file, i):
    """The variables of the declaration that begins at token i, and the token that ends it; or None."""
    found = None if file.tokens[i] in KEYWORDS else read_type(file, i)
    if found is None:
        return None
    words, i = found
    variables = []
    while True:
        declared = read_declarator(file, i, words)
        if declared is None:
            return None
        variable, i = declared
        if i >= len(file.tokens) or file.tokens[i] not in (",", ";", "=", ":", ")", "{"):
            return None
        variables.append(variable)
        if file.tokens[i] in ("=", ":"):
            i = file.skip_to(i + 1, (",", ";", ")"))
        if i >= len(file.tokens) or file.tokens[i] != ",":
            return variables, i
        i += 1


def read_parameters(file, start):
    """The variables of the parameter list whose bracket is token start."""
    variables, i, end = [], start + 1, file.partners.get(start, start)
    while i < end:
        found = read_type(file, i)
        declared = read_declarator(file, found[1], found[0]) if found else None
        if declared is not None:
            variables.append(declared[0])
        i = file.skip_to(i, (",", ")")) + 1
    return variables


def read_members(file, start):
    """The members of the struct or union whose bracket is token start, and of those within it."""
    members, i, end = [], start + 1, file.partners.get(start, start)
    while i < end:
        members += members_of_type(file, i)
        declaration = read_declaration(file, i)
        if declaration is not None:
            members += declaration[0]
        i = file.skip_to(i, (";", "}")) + 1
    return members


def members_of_type(file, i):
    """The members of the struct or union that is written out in the type at token i, if one is."""
    found = read_type(file, i)
    if found is None or "enum" in found[0]:
        return []
    return [each for j in range(i, found[1]) if file.tokens[j] == "{" for each in read_members(file, j)]


class Function:
    """A function with a body, which is the tokens from begin to before end."""

    def __init__(self, file, variable, begin, end):
        self.name, self.token, self.words = variable.name, variable.token, variable.words
        self.begin, self.end = begin, end
        self.parameters = read_parameters(file, variable.token + 1)
        self.locals = []
        for i in range(begin, end):
            before = file.tokens[i - 1]
            is_start = before in ("{", "}", ";", ")") or (before == "(" and file.tokens[i - 2] == "for")
            declaration = read_declaration(file, i) if is_start and is_name(file.tokens[i]) | (
                file.tokens[i] in TAGGED | QUALIFIERS) else None
            if declaration is not None:
                self.locals += [each for each in declaration[0] if not each.is_function]
        self.variables = {each.name: each for each in [*self.parameters, *self.locals]}


def read_top(file):
    """The functions with bodies of a file, all that it declares, and the members of its structs."""
    functions, declared, members = [], [], []
    i = 0
    while i < len(file.tokens):
        if file.tokens[i] == "typedef":
            i += 1
        found = read_type(file, i)
        declarator = read_declarator(file, found[1], found[0]) if found else None
        members += members_of_type(file, i)
        if declarator is None or not declarator[0].is_function:
            # extern "C" { has what it declares inside its brackets.
            i = i + 1 if file.tokens[i] in ("extern", "0", "{") else file.skip_to(i, (";", "}", "{")) + 1
            continue
        variable, i = declarator
        declared.append(variable)
        if i < len(file.tokens) and file.tokens[i] == "{":
            functions.append(Function(file, variable, i + 1, file.partners.get(i, len(file.tokens))))
            i = file.after(i)
    return functions, declared, members


def conditions(file, function):
    """The ranges of tokens in a function that are read as a boolean."""
    tokens, begin, end = file.tokens, function.begin, function.end

    def left_of(i):
        start = i
        while start > begin and tokens[start - 1] not in CONDITION_ENDS | OPEN:
            start = file.partners.get(start - 1, start - 1) if tokens[start - 1] in CLOSE else start - 1
        return start

    def operand_of_not(i):
        while tokens[i] in ("!", "*"):
            i += 1
        i = file.after(i)
        while i < end and tokens[i] in ("->", ".", "[", "("):
            i = file.after(i) if tokens[i] in OPEN else i + 2
        return i

    for i in range(begin, end):
        token = tokens[i]
        if token in ("if", "while", "assert", "CU_ASSERT", "CU_ASSERT_FATAL", "CU_ASSERT_TRUE"):
            yield i + 2, file.partners.get(i + 1, i + 2)
        elif token == "for":
            first = file.skip_to(i + 2, ";")
            yield first + 1, file.skip_to(first + 1, ";")
        elif token in ("&&", "||"):
            yield left_of(i), i
            yield i + 1, file.skip_to(i + 1, CONDITION_ENDS | CLOSE)
        elif token == "?":
            yield left_of(i), i
        elif token == "!":
            yield i + 1, operand_of_not(i + 1)


class Tree:
    """All files below the folders, and the kinds of the names in them."""

    def __init__(self, source, folders):
        self.files, self.functions, self.members = [], {}, {}
        self.calls_by_name, self.members_by_name = {}, {}
        for path in sorted(path for folder in folders for path in (source / folder).rglob("*.[ch]")):
            file = File(source, path.relative_to(source))
            self.files.append(file)
            functions, declared, members = read_top(file)
            self.functions[file.path], self.members[file.path] = functions, members
            for each in declared:
                self.calls_by_name.setdefault(each.name, []).append(each)
            for each in members:
                self.members_by_name.setdefault(each.name, []).append(each)

    def common_kind(self, variables, dereferenced=0):
        """Their kind, if it is the same for all that bear this name."""
        kinds = {each.kind(dereferenced) for each in variables}
        return kinds.pop() if len(kinds) == 1 else None

    def variables_at(self, file, token):
        return next((function.variables for function in self.functions[file.path]
                     if function.begin <= token < function.end), {})

    def kind(self, file, function, begin, end):
        """"bool", "number" (or pointer), or None (not known): the kind of an expression in a function."""
        tokens = file.tokens
        while begin < end and tokens[begin] == "(" and file.partners.get(begin) == end - 1:
            begin, end = begin + 1, end - 1
        stars = 0
        while begin < end and tokens[begin] == "*":
            begin, stars = begin + 1, stars + 1
        outside, i = [], begin
        while i < end:
            outside.append(i)
            i = file.after(i)
        words = [tokens[i] for i in outside]
        if "=" in words:
            return self.kind(file, function, begin, outside[words.index("=")])
        if COMPARISONS.intersection(words):
            return "bool"
        if "&" in words[1:]:
            return "number"
        if words[-1:] == ["("] and len(words) == 2 and stars == 0:
            known = "number" if words[0] in NUMBER_CALLS else None
            return known or self.common_kind(self.calls_by_name.get(words[0], []))
        while words[-1:] == ["["] and len(words) > 1:
            words.pop()
            stars += 1
        if len(words) == 1:
            variable = function.variables.get(words[0])
            return variable.kind(stars) if variable else None
        is_chain = all(re.match(r"\w|->|[.\[(]$", word) for word in words)
        if is_chain and len(words) > 2 and words[-2] in ("->", "."):
            return self.common_kind(self.members_by_name.get(words[-1], []), stars)
        return None
