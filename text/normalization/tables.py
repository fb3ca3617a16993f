"""English words that rules of `text.normalization.english` read from: one line per entry, to be read and added to."""

from __future__ import annotations


def words(line: str) -> list[str]:
    """The words of a line."""
    return line.split()


def table(lines: str) -> dict[str, str]:
    """Lines of ``written = spoken``."""
    pairs = (line.partition(" = ") for line in lines.splitlines() if line.strip())
    return {written.strip(): spoken.strip() for written, _, spoken in pairs}


MONTHS = words("January February March April May June July August September October November December")

#: As they are shortened, with or without a dot; May is never shortened.
MONTH_SHORT = {name[:3].lower(): number for number, name in enumerate(MONTHS, start=1)} | {
    "sept": 9,
    "june": 6,
    "july": 7,
}

#: Words that are shortened with a dot. Whether the dot also ends a sentence is seen at what follows.
ABBREVIATIONS = table("""
Mr = Mister
Mrs = misses
Ms = Miz
Messrs = messieurs
Dr = Doctor
Drs = Doctors
Prof = Professor
Rev = Reverend
Hon = Honorable
Gen = General
Col = Colonel
Maj = Major
Capt = Captain
Cpt = Captain
Lt = Lieutenant
Sgt = Sergeant
Cpl = Corporal
Pvt = Private
Adm = Admiral
Cmdr = Commander
Gov = Governor
Sen = Senator
Rep = Representative
Pres = President
Supt = Superintendent
Jr = Junior
Sr = Senior
Esq = Esquire
Bros = Brothers
Co = Company
Corp = Corporation
Inc = Incorporated
Ltd = Limited
Dept = Department
Univ = University
Assn = Association
Govt = Government
Ave = Avenue
Blvd = Boulevard
Rd = Road
Hwy = Highway
Expy = Expressway
Pkwy = Parkway
Sq = Square
Apt = Apartment
Mt = Mount
Ft = Fort
vs = versus
etc = et cetera
approx = approximately
incl = including
esp = especially
max = maximum
ext = extension
Tel = telephone
tel = telephone
dept = department
blvd = boulevard
ave = avenue
Mx = Mix
est = estimated
misc = miscellaneous
Jan = January
Feb = February
Mar = March
Apr = April
Jun = June
Jul = July
Aug = August
Sep = September
Sept = September
Oct = October
Nov = November
Dec = December
Mon = Monday
Tue = Tuesday
Tues = Tuesday
Wed = Wednesday
Thu = Thursday
Thur = Thursday
Thurs = Thursday
Fri = Friday
Sat = Saturday
Sun = Sunday
""")

#: The same, where a number must follow.
BEFORE_NUMBER = table("""
No = number
no = number
Nos = numbers
nos = numbers
NO = number
Vol = volume
vol = volume
VOL = volume
Vols = volumes
Ch = chapter
ch = chapter
Sec = section
sec = section
Fig = figure
fig = figure
Figs = figures
figs = figures
Eq = equation
p = page
pp = pages
pg = page
Art = article
Op = opus
op = opus
ca = circa
c = circa
""")

#: Latin and other shortenings with dots inside.
DOTTED = table("""
i.e. = that is
e.g. = for example
a.k.a. = also known as
et al. = and others
et seq. = and the following
cf. = compare
viz. = namely
ibid. = ibidem
w/o = without
w/ = with
c/o = care of
b/c = because
n/a = not applicable
N/A = not applicable
a/c = A.C
Ph.D. = PhD
Ph.D = PhD
B.Sc. = B.S.C
M.Sc. = M.S.C
""")

#: Words after which a Roman numeral is a number: of parts, or of rulers.
ROMAN_PARTS = frozenset(
    words("""
    chapter part book volume act scene section appendix figure table article title phase stage level class type
    war canto psalm verse lesson unit module series season episode day round grade division corps army superbowl
    bowl mark model generation step paragraph plate exhibit category group form item zone area region tier
    """)
)

#: Names of rulers and popes, after which a Roman numeral is read as "the fourth".
ROMAN_NAMES = frozenset(
    words("""
    louis henry george edward william charles james richard philip elizabeth mary john paul pius benedict
    gregory leo innocent clement alexander nicholas catherine peter frederick ferdinand leopold francis napoleon
    ivan albert christian gustav charles carl harald haakon olaf alfonso victor umberto ramses thutmose
    amenhotep ptolemy cleopatra darius xerxes artaxerxes otto conrad rudolf maximilian sigismund baldwin
    bohemond robert david malcolm constantine theodosius justinian julius urban boniface celestine stephen
    adrian sixtus callixtus eugene anastasius andrew bela matthias king queen pope emperor prince kaiser tsar
    czar
    """)
)

#: Words in capitals whose letters are said, though they could be read.
SPELLED = frozenset(
    words("VIP UAE FAQ NGO NCAA AKA ETA AOL IOU LED UAV EOD AOC ASU EPA ERA IRA ICU ITV USAF UFC IEA ADA")
)

#: Plurals with vowels whose letters are said.
SPELLED_PLURAL = SPELLED | frozenset(
    words("API URL CPU GPU UFO CEO CIO COO AI PI ID IQ PDA EMT ATM IPO DUI EV GUI URI UI")
)

#: Words in capitals that are read, though they look as if they were not.
READ = frozenset(words("JSON JPEG MPEG CMOS NGINX SCSI TSAR"))

#: Words after which A is a letter.
LETTER_A_AFTER = words("vitamin grade plan type hepatitis section group team schedule class appendix exhibit option")

#: Kinds of streets, after a name.
STREETS = table("""
st = Street
ave = Avenue
blvd = Boulevard
rd = Road
hwy = Highway
expy = Expressway
pkwy = Parkway
dr = Drive
ln = Lane
sq = Square
ct = Court
""")

#: States, after a town and before a ZIP code or the end.
STATES = table("""
AL = Alabama
AK = Alaska
AZ = Arizona
AR = Arkansas
CA = California
CO = Colorado
CT = Connecticut
DE = Delaware
FL = Florida
GA = Georgia
HI = Hawaii
ID = Idaho
IL = Illinois
IA = Iowa
KS = Kansas
KY = Kentucky
LA = Louisiana
MD = Maryland
MI = Michigan
MN = Minnesota
MS = Mississippi
MO = Missouri
MT = Montana
NE = Nebraska
NV = Nevada
NH = New Hampshire
NJ = New Jersey
NM = New Mexico
NY = New York
NC = North Carolina
ND = North Dakota
OK = Oklahoma
PA = Pennsylvania
RI = Rhode Island
SC = South Carolina
SD = South Dakota
TN = Tennessee
TX = Texas
UT = Utah
VT = Vermont
VA = Virginia
WA = Washington
WV = West Virginia
WI = Wisconsin
WY = Wyoming
DC = DC
""")

#: Signs that are spoken if no other rule matches them.
SIGNS = table("""
& = and
@ = at
% = percent
‰ = per mille
+ = plus
= = equals
× = times
÷ = divided by
≈ = approximately
≠ = is not equal to
≤ = is at most
≥ = is at least
< = is less than
> = is greater than
± = plus or minus
√ = square root of
∞ = infinity
π = pi
# = hash
° = degrees
§ = section
¶ = paragraph
© = copyright
® = registered
™ = trademark
$ = dollar
€ = euro
£ = pound
¥ = yen
₩ = won
₹ = rupee
^ = caret
~ = tilde
→ = to
← = from
""")

#: Fractions of one character.
VULGAR = {"½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5),
          "⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8)}  # fmt: skip

#: After a time of day.
TIME_ZONES = words("EST EDT CST CDT MST MDT PST PDT GMT UTC CET CEST BST")
