"""Errors in Azure's shape: a code and a message, without the type and param of the plain API."""

from starlette.responses import JSONResponse, Response

from batchd.sandbox.vendor_errors import VendorError

# What Azure calls an error that has no code of its own in the plain API.
USUAL_CODES = {400: "invalidPayload", 401: "401", 404: "notFound", 409: "conflict", 429: "429"}


def azure_error(error: VendorError) -> Response:
    """Return the response that carries an error, as a resource of Azure words it."""
    code = error.code or USUAL_CODES.get(error.status, str(error.status))
    return JSONResponse({"error": {"code": code, "message": error.message}}, error.status)


def no_such_path() -> VendorError:
    """Return the 404 of a path, or of an api-version, that a resource does not have."""
    return VendorError(404, "Resource not found", code="404")
