"""The places that the service starts with: administrative units and a synthetic set of agencies."""

from yoyo import step

from services.registration import places


def load(connection):  # noqa: ANN001, ANN201 -- yoyo's own connection
    with connection.cursor() as cursor:
        places.load_units(cursor)
        places.load_agencies(cursor)


__depends__ = {"0001_registrations"}
steps = [step(load)]
