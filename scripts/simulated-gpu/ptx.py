#!/usr/bin/env python3
"""Translates one kernel of a PTX module to C++, for cuda.cpp beside it to run.

Usage: ptx.py MODULE.ptx KERNEL > KERNEL.cpp

Every register is an unsigned integer of its width; operations read it as the type they name. Shared memory is addressed from
0, all other memory by the host's own addresses. An instruction that is not known here ends the program when it is reached.
The source of every instruction's meaning: NVIDIA, Parallel Thread Execution ISA.
"""

import re
import sys

WIDTH = {"8": "uint8_t", "16": "uint16_t", "32": "uint32_t", "64": "uint64_t"}
SPECIAL = {
    f"%{name}.{axis}": f"at.{field}[{k}]"
    for name, field in [("tid", "thread"), ("ntid", "threads"), ("ctaid", "block"), ("nctaid", "blocks")]
    for k, axis in enumerate("xyz")
}
SPECIAL |= {"%laneid": "(at.lane)", "WARP_SZ": "32"}
ORDERED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "lo": "<", "ls": "<=", "hi": ">", "hs": ">="}


def of_type(kind):
    """The C++ type of a PTX type such as `f32`."""
    if kind == "pred":
        return "bool"
    if kind == "f32":
        return "float"
    if kind == "f64":
        return "double"
    width = WIDTH[kind[1:]]
    return width[1:] if kind[0] == "s" else width


def bits_type(kind):
    return "bool" if kind == "pred" else WIDTH[re.sub(r"\D", "", kind)]


class Kernel:
    def __init__(self, params, shared, tables):
        self.params, self.shared, self.tables = params, shared, tables

    def value(self, text, kind):
        """An operand, read as `kind`."""
        text = text.strip()
        cpp = of_type(kind)
        negated = text.startswith("!")
        text = text.lstrip("!")
        if text.startswith("%") and text not in SPECIAL:
            raw = name(text)
        elif text in SPECIAL:
            raw = SPECIAL[text]
        elif text in self.shared:
            raw = f"uint64_t({self.shared[text]})"
        elif text in self.tables:
            raw = f"uint64_t(uintptr_t({name(text)}))"
        elif text in self.params:
            raw = f"uint64_t({self.params[text]})"
        elif re.fullmatch(r"0[fF][0-9a-fA-F]{8}", text):
            raw = f"0x{text[2:]}u"
        elif re.fullmatch(r"0[dD][0-9a-fA-F]{16}", text):
            raw = f"0x{text[2:]}ull"
        elif re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)U?", text):
            raw = f"{text.rstrip('U')}ll"
        elif text.startswith("__local_depot"):
            raw = f"uint64_t(uintptr_t({name(text)}))"
        else:
            raise NotImplementedError(f"operand {text}")
        if kind == "pred":
            return f"({'!' if negated else ''}bool({raw}))"
        if cpp in ("float", "double"):
            return f"as<{cpp}>({bits_type(kind)}({raw}))"
        return f"{cpp}({raw})"

    def address(self, text, space):
        inside = text.strip()[1:-1]
        base, _, offset = inside.partition("+")
        raw = self.value(base, "u64") if not re.fullmatch(r"\d+", base) else base
        if space == "shared":
            raw = f"uint32_t({raw})"
        return f"{raw} + ({offset or 0})"

    def put(self, to, kind, value):
        """Writes `value`, of C++ type of `kind`, to a register."""
        if to == "_":
            return ""
        if kind == "pred":
            return f"{name(to)} = {value};"
        return f"{name(to)} = bits<{bits_type(kind)}>({of_type(kind)}({value}));"

    def instruction(self, op, args):
        parts = op.split(".")
        what, kind = parts[0], parts[-1]
        v = self.value
        if what in ("ld", "st", "ldu"):
            vector = next((int(p[1]) for p in parts if re.fullmatch("v[24]", p)), 1)
            space = next((p for p in parts if p in ("global", "shared", "local", "param", "const")), "generic")
            place = {"shared": "shared", "param": "param"}.get(space, "memory")
            listed = lambda text: [t.strip() for t in text.strip("{} ").split(",")] if vector > 1 else [text.strip()]
            size = int(re.sub(r"\D", "", kind)) // 8
            out = []
            if what == "st":
                for k, of in enumerate(listed(args[1])):
                    out.append(f"{place}_put(at, {self.address(args[0], space)} + {k * size}, {v(of, 'b' + str(8 * size))});")
            else:
                # The address may be in a register that is written.
                out.append(f"{{ const uint64_t from = {self.address(args[1], space)};")
                for k, to in enumerate(listed(args[0])):
                    register = self.widen(to, kind, f"{place}_get<{of_type(kind)}>(at, from + {k * size})")
                    out.append(register)
                out.append("}")
            return " ".join(out)
        if what == "mov":
            if args[0].startswith("{"):
                names = [t.strip() for t in args[0].strip("{} ").split(",")]
                each = int(kind[1:]) // len(names)
                moved = " ".join(f"{name(t)} = all >> {each * k};" for k, t in enumerate(names) if t != "_")
                return f"{{ const uint64_t all = {v(args[1], 'b' + kind[1:])}; {moved} }}"
            if args[1].startswith("{"):
                names = [t.strip() for t in args[1].strip("{} ").split(",")]
                each = int(kind[1:]) // len(names)
                joined = " | ".join(f"uint64_t({v(t, f'b{each}')}) << {each * k}" for k, t in enumerate(names))
                return self.put(args[0], "b" + kind[1:], joined)
            raw = kind if kind == "pred" else "b" + kind[1:]
            return self.put(args[0], raw, v(args[1], raw))
        if what == "cvta":
            shift = "uint64_t(uintptr_t(at.shared))" if "shared" in parts else "0"
            if "param" in parts and "to" not in parts:
                shift = "uint64_t(uintptr_t(at.params))"
            sign = "-" if "to" in parts else "+"
            return self.put(args[0], "u64", f"{v(args[1], 'u64')} {sign} {shift}")
        if what == "cvt":
            to, source = parts[-2], parts[-1]
            return self.widen(args[0], to, f"converted<{of_type(to)}, {self.rounding(parts)}>({v(args[1], source)})")
        if what in ("add", "sub", "and", "or", "xor") and not parts[-1] == "pred":
            sign = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^"}[what]
            read = kind if kind[0] == "f" else "u" + kind[1:]
            return self.put(args[0], read, f"{of_type(read)}({v(args[1], read)} {sign} {v(args[2], read)})")
        if what in ("and", "or", "xor"):
            sign = {"and": "&&", "or": "||", "xor": "!="}[what]
            return self.put(args[0], "pred", f"{v(args[1], 'pred')} {sign} {v(args[2], 'pred')}")
        if what == "not":
            if kind == "pred":
                return self.put(args[0], "pred", f"!{v(args[1], 'pred')}")
            return self.put(args[0], "u" + kind[1:], f"~{v(args[1], 'u' + kind[1:])}")
        if what == "neg":
            # Of a float the sign bit alone changes.
            return self.put(args[0], kind, f"-{v(args[1], kind)}")
        if what == "abs":
            return self.put(args[0], kind, f"magnitude({v(args[1], kind)})")
        if what in ("mul", "mad", "fma"):
            return self.product(what, parts, kind, args)
        if what in ("div", "rem"):
            return self.put(args[0], kind, f"{'quotient' if what == 'div' else 'remainder_of'}({v(args[1], kind)}, {v(args[2], kind)})")
        if what in ("min", "max"):
            nan = "true" if "NaN" in parts else "false"
            return self.put(args[0], kind, f"{what}imum<{nan}>({v(args[1], kind)}, {v(args[2], kind)})")
        if what in ("sqrt", "rcp", "ex2"):
            return self.put(args[0], kind, f"function_{what}({v(args[1], kind)})")
        if what in ("shl", "shr"):
            read = kind if what == "shr" and kind[0] == "s" else "u" + kind[1:]
            return self.put(args[0], read, f"shifted_{what}({v(args[1], read)}, {v(args[2], 'u32')})")
        if what == "setp":
            how = parts[1]
            a, b = v(args[1], kind), v(args[2], kind)
            if how in ("num", "nan"):
                compared = f"({'!' if how == 'num' else ''}(unordered({a}, {b})))"
            elif how in ORDERED:
                # `!=` of a NaN is true in C++, and false in PTX.
                compared = f"({a} {ORDERED[how]} {b})"
                if how == "ne" and kind[0] == "f":
                    compared = f"({compared} && !unordered({a}, {b}))"
            else:
                compared = f"({a} {ORDERED[how[:-1]]} {b} || unordered({a}, {b}))"
            outs = args[0].split("|")
            joined = {"and": "&&", "or": "||", "xor": "!="}.get(parts[2])
            put = lambda to, result: self.put(to.strip(), "pred", f"{result} {joined} {v(args[3], 'pred')}" if joined else result)
            second = put(outs[1], f"!{compared}") if len(outs) > 1 else ""
            # Both are read before either is written.
            return f"{{ {second} {put(outs[0], compared)} }}"
        if what == "selp":
            return self.put(args[0], "b" + kind[1:], f"{v(args[3], 'pred')} ? {v(args[1], 'b' + kind[1:])} : {v(args[2], 'b' + kind[1:])}")
        if what in ("bar", "barrier") and "sync" in parts:
            return "wait_for_warp(at);" if "warp" in parts else "wait_for_block(at);"
        if what in ("membar", "fence"):
            return ""
        if what == "shfl":
            to, _, known = args[0].partition("|")
            how = parts[2]
            moved = f"shuffled(at, '{how[0]}', {v(args[1], 'b32')}, {v(args[2], 'u32')}, {v(args[3], 'u32')})"
            flag = f" {name(known.strip())} = moved.second;" if known else ""
            return f"{{ const auto moved = {moved}; {name(to.strip())} = moved.first;{flag} }}"
        if what == "copysign":
            return self.put(args[0], kind, f"std::copysign({v(args[2], kind)}, {v(args[1], kind)})")
        if what in ("ret", "exit"):
            return "return;"
        raise NotImplementedError(op)

    def widen(self, to, kind, value):
        """Writes to a register that may be wider than `kind`: the sign is kept."""
        if to == "_":
            return ""
        if kind[0] == "s":
            return f"{name(to)} = {of_type(kind)}({value});"
        return f"{name(to)} = bits<{bits_type(kind)}>({of_type(kind)}({value}));"

    def rounding(self, parts):
        way = next((p[:2] for p in parts[1:] if re.fullmatch("r[nzmp]i?", p)), "rn")
        return f"'{way[1]}', {'true' if any(re.fullmatch('r[nzmp]i', p) for p in parts) else 'false'}, {'true' if 'sat' in parts else 'false'}"

    def product(self, what, parts, kind, args):
        v = self.value
        if kind[0] == "f":
            if what == "mul":
                return self.put(args[0], kind, f"{of_type(kind)}({v(args[1], kind)} * {v(args[2], kind)})")
            return self.put(args[0], kind, f"fused({v(args[1], kind)}, {v(args[2], kind)}, {v(args[3], kind)})")
        width = int(kind[1:])
        if "wide" in parts:
            wide = kind[0] + str(2 * width)
            product = f"{of_type(wide)}({v(args[1], kind)}) * {of_type(wide)}({v(args[2], kind)})"
            added = f" + {v(args[3], wide)}" if what == "mad" else ""
            return self.put(args[0], wide, f"{product}{added}")
        if "hi" in parts:
            double = "__int128" if kind[0] == "s" else "unsigned __int128"
            product = f"({double}({v(args[1], kind)}) * {v(args[2], kind)} >> {width})"
            added = f" + {v(args[3], kind)}" if what == "mad" else ""
            return self.put(args[0], kind, f"{of_type(kind)}({product}){added}")
        kind = "u" + kind[1:]
        wider = "uint64_t" if width == 64 else "uint32_t"
        added = f" + {v(args[3], kind)}" if what == "mad" else ""
        return self.put(args[0], kind, f"{wider}({v(args[1], kind)}) * {v(args[2], kind)}{added}")


def name(register):
    return re.sub(r"\W", "_", register)


def aligned(offset, size):
    return (offset + size - 1) // size * size


def array(declared):
    """Alignment, bytes and name of an array or a variable that stands in memory."""
    align = re.search(r"\.align\s+(\d+)", declared)
    kind, variable, length = re.search(r"\.([bufs]\d+)\s+([\w$]+)\s*(?:\[(\d*)\])?", declared).groups()
    size = int(kind[1:]) // 8
    return int(align[1]) if align else size, size * (1 if length is None else int(length or 0)), variable, size


def arguments(text):
    """Splits at commas that are not inside brackets."""
    out, depth = [""], 0
    for c in text:
        depth += (c in "{[(") - (c in "}])")
        if c == "," and depth == 0:
            out.append("")
        else:
            out[-1] += c
    return [a.strip() for a in out if a.strip()]


def translate(module, kernel):
    module = re.sub(r"//[^\n]*|/\*.*?\*/", "", module, flags=re.S)
    found = re.search(r"\.entry\s+" + re.escape(kernel) + r"\s*\(([^)]*)\)([^{]*)\{", module)
    if not found:
        sys.exit(f"there is no kernel {kernel}")
    depth, end = 1, found.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(module[end], 0)
        end += 1
    body = module[found.end() : end - 1]

    params, layout, offset = {}, [], 0
    for declared in arguments(found[1]):
        align, size, variable, _ = array(declared.replace(".param", ""))
        offset = aligned(offset, align)
        params[variable] = offset
        layout += [offset, size]
        offset += size
    param_bytes = offset

    shared, offset, dynamic = {}, 0, None
    tables = {}
    for declared in re.findall(r"(?:\.extern\s+)?\.shared\s+[^;]*;", module):
        align, size, variable, _ = array(declared)
        if not re.search(re.escape(variable) + r"\b", body):
            continue
        if ".extern" in declared:
            dynamic = variable
            continue
        offset = aligned(offset, align)
        shared[variable] = offset
        offset += size
    static_bytes = aligned(offset, 16)
    if dynamic:
        shared[dynamic] = static_bytes
    for declared in re.findall(r"\.(?:global|const)\s+\.align[^;]*=\s*\{[^;]*;", module):
        _, size, variable, each = array(declared)
        if re.search(re.escape(variable) + r"\b", body):
            tables[variable] = (each, re.search(r"=\s*\{([^}]*)\}", declared)[1])
    threads = [int(n) for n in re.search(r"\.maxntid\s+([\d, ]+)", found[2])[1].split(",")] if ".maxntid" in found[2] else [1024]
    most = 1
    for n in threads:
        most *= n

    state = Kernel(params, shared, tables)
    code = []
    # Braces around operands are no blocks.
    body = re.sub(r"\{([^{};]*)\}", lambda m: "\x01" + m[1] + "\x02", body)
    for line in re.findall(r"[^;{}]*:(?!:)|[^;{}]+;|[{}]", re.sub(r"\s+", " ", body)):
        line = line.strip().replace("\x01", "{").replace("\x02", "}")
        if line in "{}":
            code.append(line)
        elif line.endswith(":"):
            code.append(f"{name(line[:-1].strip())}:;")
        elif line.startswith(".reg"):
            kind, listed = re.fullmatch(r"\.reg \.(\w+) (.*);", line).groups()
            for register in listed.split(","):
                many = re.fullmatch(r"(.*)<(\d+)>", register.strip())
                names = [many[1] + str(k) for k in range(int(many[2]))] if many else [register.strip()]
                code.append(f"[[maybe_unused]] {bits_type(kind)} {', '.join(name(n) for n in names)};")
        elif line.startswith(".local"):
            _, size, variable, _ = array(line)
            code.append(f"alignas(16) uint8_t {name(variable)}[{size}];")
        elif line.startswith("."):
            continue
        else:
            guard, op, rest = re.fullmatch(r"(?:@(!?%?\w+) )?([\w.:]+) ?(.*);", line).groups()
            args = arguments(rest)
            try:
                if op.startswith("bra"):
                    done = f"goto {name(args[0])};"
                else:
                    done = state.instruction(op, args)
            except (NotImplementedError, KeyError, IndexError, AttributeError):
                done = f'not_possible("the instruction {op} is not known here");'
            if guard:
                condition = ("!" if guard[0] == "!" else "") + name(guard.lstrip("!"))
                done = f"if ({condition}) {{ {done} }}"
            code.append(done)

    waits = "true" if re.search(r"\b(bar|barrier|shfl|vote|redux)\.", body) else "false"
    initial = "\n".join(
        f"alignas(16) static const {WIDTH[str(8 * each)]} {name(t)}[] = {{{values}}};" for t, (each, values) in tables.items()
    )
    return f"""#include "simulated.h"
{initial}
static const uint32_t layout[] = {{{", ".join(map(str, layout))}}};
extern "C" const Kernel kernel_description = {{{param_bytes}, {len(layout) // 2}, {static_bytes}, {most}, {waits}, layout}};
extern "C" void kernel_thread(Thread &at) {{
{chr(10).join(code)}
}}
"""


if __name__ == "__main__":
    print(translate(open(sys.argv[1]).read(), sys.argv[2]))
