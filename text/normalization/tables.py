"""English words that rules of `text.normalization.english` read from: one line per entry, to be read and added to."""

from __future__ import annotations


def words(line: str) -> list[str]:
    """The words of a line."""
    return line.split()


def _table(lines: str) -> dict[str, str]:
    pairs = (line.partition(" = ") for line in lines.splitlines() if line.strip())
    return {written.strip(): spoken.strip() for written, _, spoken in pairs}


MONTHS = words("January February March April May June July August September October November December")

#: As they are shortened, with or without a dot; May is never shortened.
MONTH_SHORT = {name[:3].lower(): number for number, name in enumerate(MONTHS, start=1)} | {
    "sept": 9,
    "june": 6,
    "july": 7,
}

#: Symbol or code: one, many, the hundredth part (one, many).
CURRENCIES: dict[str, tuple[str, str, str, str]] = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₩": ("won", "won", "jeon", "jeon"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₽": ("ruble", "rubles", "kopek", "kopeks"),
    "₺": ("lira", "lira", "kurus", "kurus"),
    "₴": ("hryvnia", "hryvnias", "kopiyka", "kopiykas"),
    "₪": ("shekel", "shekels", "agora", "agorot"),
    "₫": ("dong", "dong", "hao", "hao"),
    "₱": ("peso", "pesos", "centavo", "centavos"),
    "฿": ("baht", "baht", "satang", "satang"),
    "₿": ("bitcoin", "bitcoins", "cent", "cents"),
    "USD": ("US dollar", "US dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("British pound", "British pounds", "penny", "pence"),
    "JPY": ("Japanese yen", "Japanese yen", "sen", "sen"),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"),
    "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "AUD": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "CNY": ("yuan", "yuan", "fen", "fen"),
    "INR": ("Indian rupee", "Indian rupees", "paisa", "paise"),
}

#: Before a sign of money: which country's it is.
COUNTRIES = _table("""
US = US
CA = Canadian
C = Canadian
A = Australian
AU = Australian
NZ = New Zealand
HK = Hong Kong
S = Singapore
""")

#: After an amount.
SCALES = _table("""
k = thousand
K = thousand
m = million
M = million
mn = million
bn = billion
B = billion
b = billion
tn = trillion
T = trillion
thousand = thousand
million = million
billion = billion
trillion = trillion
quadrillion = quadrillion
""")

#: A unit as written: singular, plural. Letter case matters if it distinguishes two units.
UNITS: dict[str, tuple[str, str]] = {
    written: (one.strip(), many.strip())
    for line in """
km: kilometer, kilometers
cm: centimeter, centimeters
mm: millimeter, millimeters
μm: micrometer, micrometers
nm: nanometer, nanometers
m: meter, meters
mi: mile, miles
ft: foot, feet
yd: yard, yards
kg: kilogram, kilograms
KG: kilogram, kilograms
Kg: kilogram, kilograms
g: gram, grams
mg: milligram, milligrams
μg: microgram, micrograms
lb: pound, pounds
lbs: pound, pounds
oz: ounce, ounces
L: liter, liters
l: liter, liters
ml: milliliter, milliliters
mL: milliliter, milliliters
cl: centiliter, centiliters
gal: gallon, gallons
h: hour, hours
hr: hour, hours
hrs: hour, hours
min: minute, minutes
mins: minute, minutes
sec: second, seconds
secs: second, seconds
s: second, seconds
ms: millisecond, milliseconds
μs: microsecond, microseconds
ns: nanosecond, nanoseconds
Hz: hertz, hertz
kHz: kilohertz, kilohertz
MHz: megahertz, megahertz
GHz: gigahertz, gigahertz
W: watt, watts
kW: kilowatt, kilowatts
MW: megawatt, megawatts
GW: gigawatt, gigawatts
kWh: kilowatt hour, kilowatt hours
MWh: megawatt hour, megawatt hours
V: volt, volts
kV: kilovolt, kilovolts
mV: millivolt, millivolts
A: amp, amps
mA: milliamp, milliamps
mAh: milliamp hour, milliamp hours
J: joule, joules
kJ: kilojoule, kilojoules
cal: calorie, calories
kcal: kilocalorie, kilocalories
Pa: pascal, pascals
kPa: kilopascal, kilopascals
hPa: hectopascal, hectopascals
psi: p s i, p s i
dB: decibel, decibels
KB: kilobyte, kilobytes
kB: kilobyte, kilobytes
MB: megabyte, megabytes
GB: gigabyte, gigabytes
TB: terabyte, terabytes
PB: petabyte, petabytes
bps: bit per second, bits per second
kbps: kilobit per second, kilobits per second
mbps: megabit per second, megabits per second
Mbps: megabit per second, megabits per second
gbps: gigabit per second, gigabits per second
Gbps: gigabit per second, gigabits per second
mph: mile per hour, miles per hour
kph: kilometer per hour, kilometers per hour
rpm: revolution per minute, revolutions per minute
fps: frame per second, frames per second
dpi: dot per inch, dots per inch
ha: hectare, hectares
acre: acre, acres
°C: degree Celsius, degrees Celsius
°F: degree Fahrenheit, degrees Fahrenheit
° C: degree Celsius, degrees Celsius
° F: degree Fahrenheit, degrees Fahrenheit
℃: degree Celsius, degrees Celsius
℉: degree Fahrenheit, degrees Fahrenheit
°: degree, degrees
%: percent, percent
‰: per mille, per mille
mol: mole, moles
cc: CC, CC
""".strip().splitlines()
    for written, _, names in [line.rpartition(": ")]
    for one, _, many in [names.partition(",")]
}

#: Units that are also words, so that they count only directly after a number.
SHORT_UNITS = frozenset(
    {"m", "g", "l", "L", "h", "s", "A", "V", "W", "J", "min", "sec", "cal", "gal", "Pa", "ha", "mi"}
)

#: Units after a slash (per).
PER = _table("""
h = hour
hr = hour
s = S
sec = second
min = minute
d = day
day = day
wk = week
week = week
mo = month
month = month
yr = year
y = year
year = year
km = kilometer
m = meter
m² = square meter
m³ = cubic meter
kg = kilogram
g = gram
L = liter
l = liter
gal = gallon
lb = pound
person = person
night = night
""")

#: Words that are shortened with a dot. Whether the dot also ends a sentence is seen at what follows.
ABBREVIATIONS = _table("""
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
BEFORE_NUMBER = _table("""
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
DOTTED = _table("""
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

#: Kinds of streets, after a name.
STREETS = _table("""
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
STATES = _table("""
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
DC = D C
""")

#: Signs that are spoken if no other rule matches them.
SIGNS = _table("""
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
