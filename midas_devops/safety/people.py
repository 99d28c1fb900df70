"""Groups of a person, as this machine knows them."""

from __future__ import annotations


def groups_of(name: str) -> tuple[str, ...]:
    """Names of the operating system's groups that ``name`` belongs to; empty when it is unknown here."""
    try:
        import grp
        import pwd
    except ImportError:  # no such database outside POSIX
        return ()
    member_of = [group.gr_name for group in grp.getgrall() if name in group.gr_mem]
    try:
        member_of.append(grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name)
    except KeyError:
        return tuple(member_of)
    return tuple(member_of)
