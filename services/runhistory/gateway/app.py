"""The application: every route under one prefix, one shape of errors, one OpenAPI document."""

from typing import Final

from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig

from runhistory import __version__
from runhistory.gateway import (
    bulk_routes,
    compute_routes,
    curve_routes,
    event_routes,
    experiment_routes,
    health_routes,
    heartbeat_routes,
    live_routes,
    object_routes,
    page_routes,
    read_routes,
    record_routes,
    run_routes,
    sql_routes,
    studio_routes,
    table_routes,
    write_routes,
)
from runhistory.gateway.context import MAX_JSON_BYTES, Gateway, GatewayRequest
from runhistory.gateway.errors import respond
from runhistory.gateway.openapi import StructSchemas, encode_document
from runhistory.gateway.studio_pages import StudioPages

PREFIX: Final = "/api/v1/workspaces/{workspace:str}"


def create_app(gateway: Gateway | None = None) -> Litestar:
    """The gateway's application; without `gateway` it can only describe itself."""
    app = Litestar(
        route_handlers=[
            Router(
                PREFIX,
                route_handlers=[
                    *write_routes.HANDLERS,
                    *bulk_routes.HANDLERS,
                    *object_routes.HANDLERS,
                    *run_routes.HANDLERS,
                    *table_routes.HANDLERS,
                    *read_routes.HANDLERS,
                    *page_routes.HANDLERS,
                    *curve_routes.HANDLERS,
                    *record_routes.HANDLERS,
                    *heartbeat_routes.HANDLERS,
                    *event_routes.HANDLERS,
                    *live_routes.HANDLERS,
                    *experiment_routes.HANDLERS,
                    *sql_routes.HANDLERS,
                    *compute_routes.HANDLERS,
                ],
            ),
            *health_routes.HANDLERS,
            *studio_routes.HANDLERS,
        ],
        exception_handlers={Exception: respond},
        request_class=GatewayRequest,
        request_max_body_size=MAX_JSON_BYTES,
        openapi_config=OpenAPIConfig(
            title="runhistory",
            version=__version__,
            description="Run History for machine learning: runs, metrics, logs, files, snapshots.",
            render_plugins=[],
            use_handler_docstrings=True,
            path="/unused",
        ),
        plugins=[StructSchemas()],
        debug=False,
        logging_config=None,
    )
    app.state.gateway = gateway
    app.state.pages = StudioPages()
    app.state.openapi = encode_document(app)
    return app
