"""A bolt that emits what it is given, made with the SDK of this repository."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "clients/python/monsoon_components/src"))

from monsoon_components import Bolt


class Echo(Bolt):
    def process(self, tup):
        self.emit(tup.values)


if __name__ == "__main__":
    Echo().run()
