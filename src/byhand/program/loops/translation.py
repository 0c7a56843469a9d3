"""From the text of loops to LLVM: the few words of Python that generated modules are written in.

A module has functions of pointers and numbers; in them stand assignments, `for i in range(n)`, elements `p[i]`,
arithmetic, comparisons, conditional expressions, casts such as `f4(x)`, and the words of `vocabulary`. A function is
translated for the types it is called with. All values have one of the types of `CODES`; nothing is converted unasked
but literals.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from byhand.program.loops.types import BOOLEAN, INDEX, Pointer, Term, Type
from byhand.program.loops.vocabulary import WORDS, cast

ARITHMETIC: dict[type[ast.AST], tuple[Callable[[Any, Any], Any], str, str, str]] = {
    ast.Add: (operator.add, "fadd", "add", "add"),
    ast.Sub: (operator.sub, "fsub", "sub", "sub"),
    ast.Mult: (operator.mul, "fmul", "mul", "mul"),
    ast.Div: (operator.truediv, "fdiv", "", ""),
    ast.LShift: (operator.lshift, "", "shl", "shl"),
    ast.RShift: (operator.rshift, "", "ashr", "lshr"),
    ast.BitAnd: (operator.and_, "", "and_", "and_"),
    ast.BitOr: (operator.or_, "", "or_", "or_"),
    ast.BitXor: (operator.xor, "", "xor", "xor"),
}
"""For each operator: what it does to literals, and LLVM's word for floats, signed and unsigned integers."""

COMPARISONS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip

LITERALS = {"inf": float("inf"), "nan": float("nan")}


class TranslationError(AssertionError):
    """A text that is not in the language: a defect of what wrote it."""


def translate(source: str, entries: Mapping[str, Sequence[Type]]) -> ir.Module:
    """The module with the functions `entries`, which take these types and return an integer, and all they call."""
    module = _Module(source)
    for name, types in entries.items():
        module.function(name, tuple(types))
    return module.llvm


class _Module:
    """The functions translated so far."""

    def __init__(self, source: str) -> None:
        self.llvm = ir.Module("loops")
        self.texts = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
        self._known: dict[tuple[str, tuple[Type, ...]], tuple[ir.Function, Type | None]] = {}

    def function(self, name: str, types: tuple[Type, ...]) -> tuple[ir.Function, Type | None]:
        """A function for these types of parameters, and the type it returns."""
        found = self._known.get((name, types))
        if found is None:
            found = self._known[name, types] = self._translated(self.texts[name], types)
        return found

    def _translated(self, text: ast.FunctionDef, types: tuple[Type, ...]) -> tuple[ir.Function, Type | None]:
        marks = {mark.id for mark in text.decorator_list if isinstance(mark, ast.Name)}
        # what a formula returns is known once it is translated: a first time into a module that nobody keeps
        returned = INDEX if not marks else None
        if "formula" in marks:
            draft = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), [t.llvm for t in types]), text.name)
            returned = _Function(self, text, draft, types, None).write()
        result = ir.VoidType() if returned is None else returned.llvm
        name = text.name if not marks else self.llvm.get_unique_name(text.name)
        function = ir.Function(self.llvm, ir.FunctionType(result, [t.llvm for t in types]), name)
        if marks:
            function.linkage = "internal"
        if "formula" in marks:
            function.attributes.add("alwaysinline")
        for argument, kind in zip(function.args, types, strict=True):
            if isinstance(kind, Pointer) and "nest" in marks:
                argument.add_attribute("noalias")  # else LLVM tests each pair of pointers, and gives up on many
        _Function(self, text, function, types, returned).write()
        return function, returned


class _Function:
    """Translates one function. Its variables are places on the stack, which LLVM turns into registers."""

    def __init__(
        self, module: _Module, text: ast.FunctionDef, function: ir.Function, types: Sequence[Type], returned: Type | None
    ) -> None:
        self.module, self.text, self.function, self.returned = module, text, function, returned
        self.top = ir.IRBuilder(function.append_basic_block("top"))
        self.builder = ir.IRBuilder(function.append_basic_block("body"))
        self.variables: dict[str, tuple[Any, Type]] = {}
        for parameter, argument, kind in zip(text.args.args, function.args, types, strict=True):
            self._set(parameter.arg, Term(argument, kind))
        self.body = self.function.blocks[1]

    def write(self) -> Type | None:
        """Translate all statements; the type of what is returned."""
        found = self._statements(self.text.body)
        if not self.builder.block.is_terminated:
            self.builder.ret_void()
        self.top.branch(self.body)
        return found

    # Statements.

    def _statements(self, body: Sequence[ast.stmt]) -> Type | None:
        found = None
        for statement in body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._set(name, self._typed(self._value(value)))
                case ast.Assign(targets=[ast.Subscript(value=pointer, slice=index)], value=value):
                    place, kind = self._place(pointer, index)
                    self.builder.store(self._as(self._value(value), kind).llvm, place)
                case ast.For(target=ast.Name(id=name), iter=ast.Call(args=[count]), body=inner):
                    self._loop(name, self._as(self._value(count), INDEX), inner)
                case ast.If(test=test, body=inner, orelse=[]):
                    self._branch(self._value(test), inner)
                case ast.Return(value=ast.expr() as value):
                    found = self._return(value)
                case ast.Expr(value=ast.Constant()):
                    pass  # a docstring
                case ast.Expr(value=ast.Call() as call):
                    self._value(call)
                case _:
                    raise TranslationError(f"no statement of loops: {ast.unparse(statement)}")
        return found

    def _return(self, value: ast.expr) -> Type:
        term = self._value(value)
        term = self._as(term, self.returned) if self.returned is not None else self._typed(term)
        if isinstance(self.function.function_type.return_type, ir.VoidType):
            self.builder.ret_void()  # the draft
        else:
            self.builder.ret(term.llvm)
        return term.type

    def _loop(self, name: str, count: Term, body: Sequence[ast.stmt]) -> None:
        """for name in range(count): the test stands at the end, after one before the first round."""
        rounds, after = self.function.append_basic_block("round"), self.function.append_basic_block("after")
        zero, one = ir.Constant(INDEX.llvm, 0), ir.Constant(INDEX.llvm, 1)
        self._set(name, Term(zero, INDEX))
        self.builder.cbranch(self.builder.icmp_signed(">", count.llvm, zero), rounds, after)
        self.builder.position_at_end(rounds)
        place = self.variables[name][0]
        self._statements(body)
        following = self.builder.add(self.builder.load(place), one, flags=("nsw",))
        self.builder.store(following, place)
        self.builder.cbranch(self.builder.icmp_signed("<", following, count.llvm), rounds, after)
        self.builder.position_at_end(after)

    def _branch(self, test: Term, body: Sequence[ast.stmt]) -> None:
        inside, after = self.function.append_basic_block("if"), self.function.append_basic_block("after")
        self.builder.cbranch(test.llvm, inside, after)
        self.builder.position_at_end(inside)
        self._statements(body)
        if not self.builder.block.is_terminated:
            self.builder.branch(after)
        self.builder.position_at_end(after)

    def _set(self, name: str, term: Term) -> None:
        known = self.variables.get(name)
        if known is None or known[1] != term.type:
            known = self.variables[name] = self.top.alloca(term.type.llvm), term.type
        self.builder.store(term.llvm, known[0])

    # Expressions.

    def _value(self, node: ast.expr) -> Term:
        match node:
            case ast.Name(id=name) if name in self.variables:
                place, kind = self.variables[name]
                return Term(self.builder.load(place), kind)
            case ast.Constant(value=bool(value)):
                return Term(ir.Constant(BOOLEAN.llvm, int(value)), BOOLEAN)
            case ast.Constant(value=int(value) | float(value)):
                return Term(value, None)
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                return Term(LITERALS[name], None)
            case ast.BinOp(left=left, op=sign, right=right):
                return self._arithmetic(sign, self._value(left), self._value(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._negative(self._value(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Term(self.builder.not_(self._value(operand).llvm), BOOLEAN)
            case ast.Compare(left=left, ops=signs, comparators=others):
                return self._comparison(signs, [self._value(x) for x in (left, *others)])
            case ast.IfExp(test=test, body=yes, orelse=no):
                return WORDS["where"](self.builder, *self._alike(self._value(yes), self._value(no), self._value(test)))
            case ast.Subscript(value=pointer, slice=index):
                place, kind = self._place(pointer, index)
                return Term(self.builder.load(place), kind)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, [self._value(x) for x in arguments])
        raise TranslationError(f"no expression of loops: {ast.unparse(node)}")

    def _arithmetic(self, sign: ast.operator, a: Term, b: Term) -> Term:
        literal, of_floats, of_signed, of_unsigned = ARITHMETIC[type(sign)]
        if a.type is None and b.type is None:
            return Term(literal(a.llvm, b.llvm), None)
        a, b = self._same(a, b)
        kind: Any = a.type
        if kind.code[0] == "f":
            return Term(getattr(self.builder, of_floats)(a.llvm, b.llvm, flags=("contract",)), kind)
        word = of_signed if kind.code[0] == "i" else of_unsigned
        flags = ("nsw",) if kind is INDEX and word in ("add", "mul") and not isinstance(sign, ast.LShift) else ()
        return Term(getattr(self.builder, word)(a.llvm, b.llvm, flags=flags), kind) if flags else Term(
            getattr(self.builder, word)(a.llvm, b.llvm), kind
        )

    def _negative(self, x: Term) -> Term:
        if x.type is None:
            return Term(-x.llvm, None)
        return Term(self.builder.fneg(x.llvm) if x.type.code[0] == "f" else self.builder.neg(x.llvm), x.type)

    def _comparison(self, signs: Sequence[ast.cmpop], terms: Sequence[Term]) -> Term:
        result: Any = None
        for sign, a, b in zip(signs, terms[:-1], terms[1:], strict=True):
            a, b = self._same(a, b)
            text, kind = COMPARISONS[type(sign)], a.type.code[0]  # type: ignore[union-attr]
            if kind == "f":
                compare = self.builder.fcmp_unordered if text == "!=" else self.builder.fcmp_ordered
            else:
                compare = self.builder.icmp_signed if kind == "i" else self.builder.icmp_unsigned
            one = compare(text, a.llvm, b.llvm)
            result = one if result is None else self.builder.and_(result, one)
        return Term(result, BOOLEAN)

    def _place(self, pointer: ast.expr, index: ast.expr) -> tuple[Any, Type]:
        start = self._value(pointer)
        if not isinstance(start.type, Pointer):
            raise TranslationError(f"{ast.unparse(pointer)} is no pointer")
        number = self._as(self._value(index), INDEX)
        kind = start.type.target
        return self.builder.gep(start.llvm, [number.llvm], inbounds=True, source_etype=kind.llvm), kind

    def _call(self, name: str, arguments: Sequence[Term]) -> Term:
        if name in self.module.texts:
            typed = [self._typed(x) for x in arguments]
            function, kind = self.module.function(name, tuple(x.type for x in typed))  # type: ignore[misc]
            return Term(self.builder.call(function, [x.llvm for x in typed]), kind)
        if name in WORDS:
            return WORDS[name](self.builder, *arguments)
        raise TranslationError(f"loops do not know {name}")

    # Types.

    def _typed(self, x: Term) -> Term:
        return x if x.type is not None else self._as(x, INDEX)

    def _as(self, x: Term, kind: Type) -> Term:
        """A literal in a type; what has a type must have this one."""
        if x.type is None:
            return cast(self.builder, x, kind)
        if x.type != kind:
            raise TranslationError(f"{x.type} where {kind} is wanted")
        return x

    def _same(self, a: Term, b: Term) -> tuple[Term, Term]:
        return (self._as(a, b.type), b) if b.type is not None and a.type is None else (a, self._as(b, a.type))  # type: ignore[arg-type]

    def _alike(self, a: Term, b: Term, test: Term) -> tuple[Term, Term, Term]:
        return test, *self._same(a, b)
