"""Server discovery and monitoring, the deciding half.

What lives here: `failures` (what an error says about a server, and whether waiting can mend it), `schedule` (pauses
between attempts). One server is known for now; descriptions, transitions and selection come here too.

May import: the root and the rest of `core`. Nothing here looks at a clock or rolls dice: both are passed in.
"""
