"""The far leg of a loopback call: a channel of its own, whose events robots must tell from their own leg's.

On SIP the callee is elsewhere and there is none: all methods then do nothing.
"""

from __future__ import annotations

import uuid as uuid_module

from V3.simulator.leg import Leg
from V3.simulator.variables import final_variables

__all__ = ["FarLeg"]


class FarLeg:
    """Raises the far leg's events in step with the call."""

    def __init__(self, leg: Leg | None) -> None:
        self.leg = leg
        self.down = False
        self._last = ("", "")

    def born(self) -> None:
        if self.leg is None:
            return
        self.leg.run_state("CS_INIT")
        self.leg.number = 2
        self.leg.emit("CHANNEL_CREATE")
        self.leg.running = "CS_ROUTING"
        self.leg.set_call_state("RINGING")
        self.leg.run_state("CS_ROUTING")
        self.leg.run_state("CS_EXECUTE", 4)

    def begin(self, application: str, argument: str = "") -> str:
        """CHANNEL_EXECUTE; returns the id that ``end`` wants."""
        identity = str(uuid_module.uuid4())
        if self.leg is not None:
            self._last = (application, argument)
            self.leg.variables["current_application"] = application
            if argument:
                self.leg.variables["current_application_data"] = argument
            self.leg.emit("CHANNEL_EXECUTE", *self._named(application, argument, identity))
        return identity

    def end(self, identity: str, *, response: str = "_none_") -> None:
        """CHANNEL_EXECUTE_COMPLETE."""
        if self.leg is not None:
            named = self._named(*self._last, identity)
            self.leg.emit("CHANNEL_EXECUTE_COMPLETE", *named, ("Application-Response", response))

    def progressed(self, event: str) -> None:
        if self.leg is not None:
            self.leg.emit(event)

    def answered(self) -> None:
        if self.leg is not None:
            self.leg.answer_state = "answered"
            self.leg.answered_us = self.leg.now_us()
            self.leg.emit("CHANNEL_ANSWER")
            self.leg.variables["endpoint_disposition"] = "ANSWER"
            self.leg.set_call_state("ACTIVE")

    def playing(self, event: str, path: str, *extra: tuple[str, str]) -> None:
        if self.leg is not None and not self.down:
            self.leg.emit(event, ("Playback-File-Path", path), *extra)

    def hang_up(self, cause: str) -> None:
        """All of a leg's end at once."""
        if self.leg is None or self.down:
            return
        leg, self.down = self.leg, True
        leg.number, leg.answer_state, leg.hangup_cause = 10, "hangup", cause
        leg.emit("CHANNEL_HANGUP")
        leg.run_state("CS_HANGUP")
        leg.hangup_us = leg.now_us()
        leg.set_call_state("HANGUP")
        leg.run_state("CS_REPORTING", 11)
        leg.variables |= final_variables(leg, digits="", application=self._last, rtp=False)
        leg.variables["is_loopback"] = "1"
        leg.emit("CHANNEL_HANGUP_COMPLETE")

    def destroy(self) -> None:
        if self.leg is not None:
            self.leg.number = 12
            self.leg.emit("CHANNEL_DESTROY")
            self.leg.run_state("CS_DESTROY")

    @staticmethod
    def _named(application: str, argument: str, identity: str) -> list[tuple[str, str]]:
        data = [("Application-Data", argument)] if argument else []
        return [("Application", application), *data, ("Application-UUID", identity)]
