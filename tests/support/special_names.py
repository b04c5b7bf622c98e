"""Passwords, role names and database names with every character that is special in a URL, a conninfo string or a statement."""

PASSWORDS = (
    "plain",
    "with space",
    " leading and trailing ",
    "per%cent",
    "%20",
    "at@sign",
    "sla/sh",
    "co:lon",
    "quest?ion",
    "ha#sh",
    "amp&ersand=equals",
    "plus+plus",
    "apos'trophe",
    'quo"te',
    "back\\slash",
    "semi;colon,comma",
    "[brackets]{braces}",
    "$dollar`tick!",
    "sch\u00f6n\u2603",
    "a b='c' host=evil\t%zz@x/?#",
)
ROLES = (
    *("crm", "CRM Push", "us@er", "us:er", "us/er", "us%er", "us?er#", "us'er", 'us"er', "us\\er", "us&er=1", "us+er"),
    *("user", "select", "us-er.x", "us,er", "$user", "b\u00fcro", " role ", "[r]"),
)
DATABASES = (
    *("leads", "Nexus Leads", "da@ta", "da:ta", "da/ta", "da%ta", "da?ta#", "da'ta", 'da"ta', "da\\ta", "da&ta=1"),
    *("da+ta", "database", "table", "da-ta.x", "da,ta", "$db", "kn\u00f6del", " db ", "[d]"),
)
