"""Says what the SDK speaks; imports nothing but it."""

from monsoon_components import Bolt


class Speaks(Bolt):
    def process(self, tup):
        self.emit([type(self._channel).__name__])


Speaks().run()
