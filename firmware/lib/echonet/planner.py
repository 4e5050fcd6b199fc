# Which properties to ask for next. Meters cut an answer off after six or seven properties, without
# a word; so what came back is compared with what was asked, and only the rest is asked again.
_HISTORIES = b"\xe2\xe4\xec\xee"  # near 200 bytes each: never beside others


class Planner:
    """Reads the properties `wanted` (EPCs, most wanted first) in as few Gets as the meter allows.

    `getmap`: the meter's property map 9F, None while unknown. `limit`: properties per Get, lowered
    when the meter answers fewer. Send a Get of `next()` until it is empty; hand each answer to
    `answer`. Without an answer `next()` is the same again. `values`: {EPC: bytes}; `missing`: EPCs
    still to be asked for; `refused`: EPCs that this meter does not have.
    """

    def __init__(self, wanted, getmap=None, limit=5):
        self.limit = limit
        self.values = {}
        self.missing = []
        self.refused = []
        self._asked = b""
        for epc in wanted:
            here = self.missing if getmap is None or epc in getmap else self.refused
            if epc not in here:
                here.append(epc)

    def next(self):
        """EPCs (bytes) for the next Get; empty when nothing is missing."""
        batch = []
        for epc in self.missing:
            if epc in _HISTORIES:
                if batch:
                    continue
                batch.append(epc)
                break
            batch.append(epc)
            if len(batch) == self.limit:
                break
        self._asked = bytes(batch)
        return self._asked

    def answer(self, frame):
        """Takes the answer (Get_Res or Get_SNA) to the last `next()`. -> `missing`.

        Each answer makes for progress: it fills or refuses a property, or lowers the limit.
        """
        refused = []
        filled = False
        for i in range(frame.opc):
            epc = frame.epc(i)
            if epc in self.missing:
                edt = frame.edt(i)
                if len(edt):
                    self.values[epc] = bytes(edt)
                    self.missing.remove(epc)
                    filled = True
                else:
                    refused.append(epc)
        asked = len(self._asked)
        if filled:
            if frame.opc < asked:
                self.limit = frame.opc
        elif asked > 1:
            if refused or not frame.opc:  # all refused at once: too many, or really none of them
                self.limit = asked // 2
            return self.missing
        elif not frame.opc:
            refused = self._asked
        for epc in refused:
            if epc in self.missing:
                self.missing.remove(epc)
                self.refused.append(epc)
        return self.missing
