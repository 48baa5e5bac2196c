"""HTTP errors in the vendor's shape: an ``error`` object with message, type, param and code."""

from starlette.responses import JSONResponse


class VendorError(Exception):
    """A request that the vendor answers with an error status, of type ``invalid_request_error``."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code

    @property
    def body(self) -> dict[str, object]:
        """The error body: all four keys are always there."""
        return error_body(self.message, param=self.param, code=self.code)

    def response(self) -> JSONResponse:
        """Return the HTTP response that carries this error."""
        return JSONResponse(self.body, self.status)


def error_body(
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    kind: str = "invalid_request_error",
) -> dict[str, object]:
    """Return ``{"error": {message, type, param, code}}``; ``kind`` is the type."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def missing_parameter(name: str) -> VendorError:
    """Return the 400 for a required parameter that was not sent."""
    message = f"Missing required parameter: '{name}'."
    return VendorError(400, message, param=name, code="missing_required_parameter")


def invalid_value(name: str, value: object, supported: tuple[str, ...]) -> VendorError:
    """Return the 400 for a value outside a closed list."""
    choices = ", ".join(f"'{choice}'" for choice in supported)
    message = f"Invalid value: '{value}'. Supported values are: {choices}."
    return VendorError(400, message, param=name, code="invalid_value")


def invalid_type(name: str, expected: str) -> VendorError:
    """Return the 400 for a value of the wrong JSON type."""
    return VendorError(400, f"Invalid type for '{name}': expected {expected}.", param=name, code="invalid_type")


def out_of_range(name: str, value: int, low: int, high: int) -> VendorError:
    """Return the 400 for an integer below or above its bounds."""
    side = "below_min" if value < low else "above_max"
    message = f"Invalid '{name}': {value} is not between {low} and {high}."
    return VendorError(400, message, param=name, code=f"integer_{side}_value")
