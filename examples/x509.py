"""Connect with a certificate as identity, and read what went wrong when it does.

    export MONGODB_URI="mongodb://db.example.net/?authMechanism=MONGODB-X509&tlsCAFile=ca.pem&tlsCertificateKeyFile=me.pem"
    python examples/x509.py

The URI comes from the environment, so that no file name or password shows in `ps`.
"""

import asyncio
import os
import sys

from aiomongo_tls import AsyncClient, AuthenticationFailed, ConfigurationError, TLSError


async def main(uri: str) -> int:
    try:
        async with AsyncClient.connect(uri) as client:
            status = await client.admin.command("connectionStatus")
            user = status["authInfo"]["authenticatedUsers"][0]
            print(f"connected as {user['user']} on {user['db']}")
            return 0
    except TLSError as error:
        # The reason is a stable word to switch on; the hint is for the person who reads the log.
        print(f"TLS: {error.reason}")
        print(f"  expected:  {error.expected}")
        print(f"  presented: {error.presented}")
        print(f"  hint:      {error.hint}")
    except AuthenticationFailed as error:
        print(f"TLS works, but the server does not know this certificate\n  user: {error.user}\n  hint: {error.hint}")
    except ConfigurationError as error:
        print(f"nothing was sent: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(os.environ["MONGODB_URI"])))
