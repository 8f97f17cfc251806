"""The help of a long command, its options grouped by topic, in plain text: rich would double the time it takes."""

from typing import Any

from typer.core import TyperCommand


class ByTopic(TyperCommand):
    """A command whose help lists its options under the topics named by ``rich_help_panel``."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options of each topic under its heading, in the order in which topics appear."""
        topics: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                arguments = parameter.param_type_name == "argument"
                topic = getattr(parameter, "rich_help_panel", None) or ("Arguments" if arguments else "Options")
                topics.setdefault(topic, []).append(record)
        for topic, records in topics.items():
            with formatter.section(topic):
                formatter.write_dl(records)
