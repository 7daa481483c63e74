"""stub"""

from harvester.cli.runtime import new_app

app = new_app()


@app.command()
def demo() -> None:
    """x"""
