"""Values for sample leads: fictional names in many scripts, companies, cities and bios."""

import re
import unicodedata

NAMES = (
    "Ada Brightwater", "Noël Dubois-Lefèvre", "Łukasz Wiśniewski", "张伟明", "田中 さくら", "김민준", "Анастасия Белова",
    "Γιώργος Παπαδόπουλος", "محمد الحسيني", "שירה לוי", "प्रिया शर्मा", "สมชาย ใจดี", "Nguyễn Thị Hạnh", "Ólafur Jónsson",
    "Siobhán O’Néill", "João da Conceição", "Zoë van der Meer", "İbrahim Yıldız", "Ngozi Okonkwo", "Björk Sæmundsdóttir",
    "María José Ñúñez", "தமிழ் செல்வன்", "Հայկ Պետրոսյան", "გიორგი ბერიძე", "አበበ ቢቂላ", "Bob", "X Æ Sample",
    'Jean-Baptiste "JB" Martin', "Renée 🚀 Okafor", "Robert'); DROP TABLE leads;--", "Thandiwe Mbeki-Nkosi", "O. M. Gee",
)  # fmt: skip
COMPANIES = (
    "Acme Corp", "@initech", "Umbrella GmbH", "株式会社サンプル", "Hooli, Inc.", "Freelance", "Soylent S.A.", "Стартап ООО",
    "Stark & Söhne KG", "Vandelay Industries", "Pied Piper", "University of Somewhere", "Example Bank plc", "self-employed 🏝️",
)  # fmt: skip
CITIES = (
    "San Francisco, CA", "Berlin", "東京", "São Paulo, Brazil", "Lagos, Nigeria", "Kraków", "Bengaluru", "Montréal, QC", "Earth",
    "Remote 🌍", "서울", "Київ", "القاهرة", "Reykjavík",
)  # fmt: skip
_LONG = (
    "Kubernetes, Go, Rust. Previously at a bank, a startup that failed and a startup that did not. Opinions are my own, "
    "and so are the bugs. I give talks about observability and grow tomatoes."
)
BIOS = (
    None, None, "", "Senior engineer. Coffee first ☕", "I make computers do things 🤖✨", "Maintainer of too many things.",
    "Distributed systems, databases, and the occasional marathon.", "後端工程師，喜歡開源。", "Пишу код, иногда он работает.",
    "PhD student — compilers & type systems\r\nhe/him", '<b>full</b> stack & "half" asleep', "=1+1 is two", "🏳️‍🌈 👩🏽‍💻 🇺🇳",
    _LONG,
)  # fmt: skip
HEADLINES = (
    "Senior Software Engineer",
    "CTO & co-founder",
    "Staff SRE",
    "Head of Data — we are hiring!",
    "Open-source developer",
)
POSITIONS = (
    "Software Engineer",
    "Senior Software Engineer",
    "Staff Engineer",
    "Engineering Manager",
    "CTO",
    "Data Engineer",
)
LEVELS = ("Junior", "Mid", "Senior", "Lead", "Executive")
INDUSTRIES = ("Technology", "Financial Services", "Health", "Education", "Retail", "Energy & Utilities")
SKILLS = (
    "Python",
    "Go",
    "Rust",
    "Kubernetes",
    "PostgreSQL",
    "TypeScript",
    "C++",
    "Terraform",
    "機械学習",
    "Kafka",
    "React",
    "SRE",
)
REASONS = (
    None, "Senior engineer with regular commits to the core repository.", "Reviews most pull requests of the project.",
    "Title and company suggest budget responsibility.", "Writes the documentation others link to.",
)  # fmt: skip


def username_of_name(name: str, number: int) -> str:
    """A valid GitHub user name: ASCII letters, digits and single hyphens. The number keeps it unique."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:24].strip("-")
    return f"{stem or 'dev'}-{number}"
