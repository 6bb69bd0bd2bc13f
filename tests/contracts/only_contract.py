"""An import-linter contract that lists what a module may import; ``forbidden`` lists what it may not."""

from __future__ import annotations

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules


class OnlyContract(Contract):
    """``source_modules`` import the standard library, ``allowed_modules`` and nothing else, directly."""

    type_name = "only"

    source_modules = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed_modules = fields.SetField(subfield=fields.ModuleExpressionField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        sources = {module.name for module in module_expressions_to_modules(graph, self.source_modules)}
        allowed = {module.name for module in module_expressions_to_modules(graph, self.allowed_modules)}
        strangers = sorted(
            (source, imported)
            for source in sources
            for imported in graph.find_modules_directly_imported_by(source)
            if imported not in allowed and imported.split(".")[0] not in sys.stdlib_module_names
        )
        return ContractCheck(kept=bool(sources) and not strangers, metadata={"strangers": strangers})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for source, imported in check.metadata["strangers"]:
            output.print_error(f"{source} must not import {imported}")
