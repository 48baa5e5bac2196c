"""Tokens of Entra ID in place of a vendor's key."""

from collections.abc import Callable

from batchd.entra import EntraIdentity, NoTokenError, tokens_for
from batchd.errors import VendorAuthError, VendorUnreachableError

_NEXT = "check entra of this [vendors] section and the role of that identity, then run the command again"


def token_provider(identity: EntraIdentity) -> Callable[[], str]:
    """A function that gives a token, a new one only when the last is about to expire; asks nobody yet.

    The function raises VendorAuthError, VendorUnreachableError.

    Raises:
        ConfigError: ``azure-identity`` is not installed, or an id is none.
    """
    ask = tokens_for(identity)

    def token() -> str:
        try:
            return ask()
        except NoTokenError as error:
            if error.is_away:
                raise VendorUnreachableError(
                    f"{error.sentence}; the vendor was not asked",
                    code="entra_unreachable",
                    next_command="check the network, proxy and certificates",
                ) from None
            raise VendorAuthError(error.sentence, code=error.code or "no_entra_token", next_command=_NEXT) from None

    return token
