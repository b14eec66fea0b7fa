# SPDX-License-Identifier: Apache-2.0
#
# Turns a public header into a man page of section 3: comments become prose, declarations are set in
# bold. Plain POSIX awk. Variables: page, summary, header, version, date; compile, the command that
# compiles and links; see, the pages for SEE ALSO.
#
# A header must follow these rules. The comment that opens the file is the description. A comment of
# one line that stands alone is a heading; any other comment that stands alone is prose; a comment
# right above a declaration explains it. In a comment, lines that begin with two or more blanks are
# printed unchanged, except that a list of error names becomes a list. "- " begins an item, and `x` is
# emphasised.

{
    source[++source_count] = $0
}

END {
    print_head()
    at = 1
    while (at <= source_count)
        read_part()
    print ".SH SEE ALSO\n" see
}

function print_head() {
    printf ".TH %s 3 \"%s\" \"mw %s\" \"mw manual\"\n.nh\n.ad l\n", page, date, version
    printf ".SH NAME\n%s \\- %s\n", page, escape(summary)
    printf ".SH SYNOPSIS\n.nf\n\\fB#include <%s>\\fR\n.fi\n", header
    printf ".PP\n.nf\n\\fB%s\\fR\n.fi\n", escape_code(compile)
}

# Reads one comment, declaration or ignored line, which begins at line `at`, and moves `at` behind it.
function read_part(    is_alone) {
    if (source[at] ~ /clang-format o/) {
        at++
    } else if (source[at] ~ /^\/\*/) {
        read_comment()
        is_alone = source[at] == "" || !descriptions_count
        if (!descriptions_count++)
            print_description()
        else if (is_alone && comment_count == 1)
            print_heading(comment[1])
        else if (is_alone)
            print_prose(1)
        else
            print_declaration(1)
    } else if (source[at] == "" || source[at] ~ /^#/ || source[at] ~ /^MW_(BEGIN|END)_DECLS/) {
        skip_line()
    } else {
        print_declaration(0)
    }
}

# Skips a line and the lines that a backslash joins to it. Prints a list of errors, X(NAME, "text").
function skip_line(    pieces) {
    while (source[at] ~ /\\$/) {
        at++
        if (source[at] ~ /^ +X\(E[A-Z]+,/) {
            split(source[at], pieces, /[(,"]+/)
            printf ".TP\n\\fBMW_%s\\fR\n%s\n", pieces[2], escape(pieces[4])
        }
    }
    at++
}

# Puts the comment that starts at `at` into comment[1..comment_count], without its marks.
function read_comment(    line, is_last) {
    comment_count = 0
    do {
        line = source[at++]
        is_last = line ~ /\*\/[ \t]*$/
        sub(/[ \t]*\*\/[ \t]*$/, "", line)
        if (!sub(/^[ \t]*\/?\*/, "", line))
            sub(/^[ \t]+/, "", line)
        sub(/^ /, "", line)
        sub(/[ \t]+$/, "", line)
        if (line != "" || !is_last)
            comment[++comment_count] = line
    } while (!is_last)
}

# Prints the opening comment, without its first lines, the licence.
function print_description(    i) {
    for (i = 3; i <= comment_count; i++)
        comment[i - 2] = comment[i]
    comment_count -= 2
    print ".SH DESCRIPTION"
    print_prose(0)
}

function print_heading(text) {
    sub(/\.$/, "", text)
    print ".SH " escape(toupper(text))
    is_below_heading = 1
}

# Begins a paragraph, except below a heading, which begins one itself.
function print_paragraph() {
    if (!is_below_heading)
        print ".PP"
    is_below_heading = 0
}

# Prints the comment that was read, as paragraphs, items, lists and unchanged lines.
function print_prose(starts_paragraph,    i, line) {
    mode = ""
    if (starts_paragraph)
        print_paragraph()
    for (i = 1; i <= comment_count; i++) {
        line = comment[i]
        if (line == "") {
            set_mode("gap")
        } else if (line ~ /^- /) {
            set_mode("item")
            print ".IP \\(bu 2\n" escape_prose(substr(line, 3))
        } else if (mode == "item") {
            sub(/^ +/, "", line)
            print escape_prose(line)
        } else if (line ~ /^ +MW_[A-Z]+(, MW_[A-Z]+)*  /) {
            set_mode("errors")
            print_errors(line)
        } else if (mode == "errors" && line ~ /^     /) { # the text of an error goes on
            sub(/^ +/, "", line)
            print escape_prose(line)
        } else if (line ~ /^  /) {
            set_mode("as is")
            print escape_code(line)
        } else {
            set_mode("text")
            print escape_prose(line)
        }
    }
    set_mode("")
}

function set_mode(next_mode) {
    if (next_mode == mode)
        return
    if (mode == "as is")
        print ".fi"
    if (mode == "errors" && next_mode != "gap" && next_mode != "")
        print ".PP"
    if (next_mode == "as is")
        print ".nf"
    if (mode == "gap" && next_mode != "item")
        print ".PP"
    mode = next_mode
}

# "  MW_EX  some text    MW_EY  some text": names and texts, separated by two blanks or more.
function print_errors(line,    pieces, count, i) {
    sub(/^ +/, "", line)
    count = split(line, pieces, /   */)
    for (i = 1; i <= count; i += 2)
        printf ".TP\n\\fB%s\\fR\n%s\n", escape(pieces[i]),
            (i < count ? escape_prose(pieces[i + 1]) : "\\&")
}

# Prints the declaration of an inline function, unless it is private: its name ends with an underscore.
function print_inline(    line) {
    line = read_statement()
    while (source[at - 1] !~ /^}/)
        at++
    sub(/^static inline /, "", line)
    if (line ~ /_\(/)
        return
    print_paragraph()
    print ".nf"
    print_code(line ";")
    print ".fi"
}

# Prints the declarations from `at` up to an empty line outside of braces, and then the comment that
# was read, if has_comment.
function print_declaration(has_comment,    i, kept, kept_count) {
    kept_count = has_comment ? comment_count : 0
    for (i = 1; i <= kept_count; i++)
        kept[i] = comment[i]
    if (source[at] ~ /^static inline /)
        print_inline()
    else
        print_declarations()
    for (i = 1; i <= kept_count; i++)
        comment[i] = kept[i]
    comment_count = kept_count
    print_explanation(4)
}

function print_declarations() {
    print_paragraph()
    print ".nf"
    depth = 0
    while (at <= source_count && (source[at] != "" || depth > 0))
        print_declaration_line()
    print ".fi"
}

function print_explanation(indent) {
    if (comment_count == 0)
        return
    print ".RS " indent
    print_prose(0)
    print ".RE"
}

# Prints a line of a declaration, and then the comment above it or beside it. Leaves out macros inside
# of braces.
function print_declaration_line(    line) {
    comment_count = 0
    if (depth > 0 && source[at] ~ /^(#| +[A-Z_]+\()/) {
        at++
        return
    }
    if (source[at] ~ /^[ \t]*\/\*/)
        read_comment()
    line = source[at]
    if (line ~ /\/\*/) {
        sub(/[ \t]*\/\*.*/, "", line)
        sub(/.*\/\*/, "/*", source[at])
        read_comment()
    } else {
        line = read_statement()
    }
    depth += gsub(/\{/, "{", line) - gsub(/\}/, "}", line)
    print_code(line)
    if (comment_count > 0) {
        print ".fi"
        print_explanation(8)
        print ".nf"
    }
}

# Joins the lines up to the one that closes the parentheses, and removes attributes for the compiler.
function read_statement(    line, more) {
    line = source[at++]
    while (gsub(/\(/, "(", line) > gsub(/\)/, ")", line) && at <= source_count) {
        more = source[at++]
        sub(/^[ \t]+/, " ", more)
        line = line more
    }
    sub(/MW_API /, "", line)
    sub(/ MW_USE_RESULT/, "", line)
    sub(/ MW_PRINTF\([^)]*\)/, "", line)
    return line
}

# Prints code in bold, broken after commas so that it fits on a terminal.
function print_code(line,    indent, room, cut) {
    match(line, /^ */)
    indent = substr(line, 1, RLENGTH) "    "
    room = 72
    while (length(line) > room) {
        for (cut = room; cut > 1 && substr(line, cut, 2) != ", "; cut--)
            ;
        if (cut <= 1)
            break
        print "\\fB" escape_code(substr(line, 1, cut)) "\\fR"
        line = indent substr(line, cut + 2)
    }
    print (line == "" ? "" : "\\fB" escape_code(line) "\\fR")
}

# Escapes a line of text for roff: it is no command, and its hyphens can be copied into a shell.
function escape(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    if (text ~ /^[.']/)
        text = "\\&" text
    return text
}

function escape_code(text) {
    text = escape(text)
    gsub(/'/, "\\(aq", text)
    gsub(/`/, "\\(ga", text)
    return text
}

function escape_prose(text,    done, word) {
    text = escape(text)
    done = ""
    while (match(text, /`[^`]+`/)) {
        word = substr(text, RSTART + 1, RLENGTH - 2)
        done = done substr(text, 1, RSTART - 1) "\\fI" word "\\fR"
        text = substr(text, RSTART + RLENGTH)
    }
    return done text
}
