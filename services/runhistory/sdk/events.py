"""Subscribe to what happens: an iterator that reconnects by itself and gives each event once.

The gateway pushes. Each event brings a position in the log, and a new connection asks for what
comes behind the last one, at whichever gateway answers: over restarts nothing is missed and
nothing comes twice.
"""

from collections.abc import Generator
from time import sleep

from runhistory.sdk import http
from runhistory.sdk.errors import NobodyAnswers, Unavailable
from runhistory.sdk.event_messages import (
    EVENTS_PATH,
    FIRST_PAUSE,
    SILENCE_SECONDS,
    Asked,
    Event,
    EventReader,
    log_interruption,
)
from runhistory.sdk.http import Connection


def subscribe(
    connection: Connection, asked: Asked, reader: EventReader | None = None
) -> Generator[Event, None, None]:
    """The events, for ever; with `follow=False` up to those that there are when it is asked.

    With the `reader` of another subscription it goes on behind what that one gave.

    Raises:
        NobodyAnswers: the gateway never answered.
        RunHistoryError: it refuses what is asked.
    """
    reader, pause = reader or EventReader(), FIRST_PAUSE
    while not reader.has_ended:
        try:
            with connection.stream(
                EVENTS_PATH, headers=reader.headers(), silence=SILENCE_SECONDS, **asked.query()
            ) as response:
                pause = FIRST_PAUSE
                for chunk in response.iter_raw():
                    yield from reader.read(chunk)
        except NobodyAnswers:
            raise
        except Unavailable as error:
            log_interruption(error)
        if not reader.has_ended:
            sleep(pause)
            pause = http.next_pause(pause)
