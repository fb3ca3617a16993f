"""English names of currencies and units: one line per entry, to be read and added to."""

from __future__ import annotations

from text.normalization.tables import table

#: Symbol or code: one, many, the hundredth part (one, many).
CURRENCIES: dict[str, tuple[str, str, str, str]] = {
    sign: (names[0], names[1], names[2], names[3])
    for line in """
$: dollar, dollars, cent, cents
€: euro, euros, cent, cents
£: pound, pounds, penny, pence
¥: yen, yen, sen, sen
₩: won, won, jeon, jeon
₹: rupee, rupees, paisa, paise
₽: ruble, rubles, kopek, kopeks
₺: lira, lira, kurus, kurus
₴: hryvnia, hryvnias, kopiyka, kopiykas
₪: shekel, shekels, agora, agorot
₫: dong, dong, hao, hao
₱: peso, pesos, centavo, centavos
₦: naira, naira, kobo, kobo
₡: colon, colons, centimo, centimos
฿: baht, baht, satang, satang
₿: bitcoin, bitcoins, cent, cents
USD: US dollar, US dollars, cent, cents
EUR: euro, euros, cent, cents
GBP: British pound, British pounds, penny, pence
JPY: Japanese yen, Japanese yen, sen, sen
CHF: Swiss franc, Swiss francs, centime, centimes
CAD: Canadian dollar, Canadian dollars, cent, cents
AUD: Australian dollar, Australian dollars, cent, cents
NZD: New Zealand dollar, New Zealand dollars, cent, cents
SGD: Singapore dollar, Singapore dollars, cent, cents
HKD: Hong Kong dollar, Hong Kong dollars, cent, cents
CNY: yuan, yuan, fen, fen
RMB: yuan, yuan, fen, fen
INR: Indian rupee, Indian rupees, paisa, paise
KRW: won, won, jeon, jeon
RUB: ruble, rubles, kopek, kopeks
UAH: hryvnia, hryvnias, kopiyka, kopiykas
TRY: Turkish lira, Turkish lira, kurus, kurus
SEK: Swedish krona, Swedish kronor, ore, ore
NOK: Norwegian krone, Norwegian kroner, ore, ore
DKK: Danish krone, Danish kroner, ore, ore
PLN: zloty, zlotys, grosz, groszy
CZK: Czech koruna, Czech korunas, haler, halers
HUF: forint, forints, filler, fillers
BRL: real, reais, centavo, centavos
MXN: Mexican peso, Mexican pesos, centavo, centavos
ZAR: rand, rand, cent, cents
THB: baht, baht, satang, satang
BTC: bitcoin, bitcoins, cent, cents
ETH: ether, ether, cent, cents
R$: real, reais, centavo, centavos
Rs.: rupee, rupees, paisa, paise
Rs: rupee, rupees, paisa, paise
zł: zloty, zlotys, grosz, groszy
kr: krone, kroner, ore, ore
""".strip().splitlines()
    for sign, _, line in [line.partition(": ")]
    for names in [line.split(", ")]
}

#: Before a sign of money: which country's it is.
COUNTRIES = table("""
US = US
CA = Canadian
C = Canadian
A = Australian
AU = Australian
NZ = New Zealand
HK = Hong Kong
S = Singapore
MX = Mexican
NT = Taiwan
""")

#: After an amount.
SCALES = table("""
k = thousand
K = thousand
m = million
M = million
mn = million
mil = million
mio = million
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
psi: PSI, PSI
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
sq ft: square foot, square feet
sq. ft.: square foot, square feet
sq. ft: square foot, square feet
sqft: square foot, square feet
sq mi: square mile, square miles
sq m: square meter, square meters
sq km: square kilometer, square kilometers
cu ft: cubic foot, cubic feet
fl oz: fluid ounce, fluid ounces
fl. oz.: fluid ounce, fluid ounces
tbsp: tablespoon, tablespoons
tsp: teaspoon, teaspoons
pt: pint, pints
qt: quart, quarts
px: pixel, pixels
MP: megapixel, megapixels
Mb: megabit, megabits
Gb: gigabit, gigabits
kb: kilobit, kilobits
Wh: watt hour, watt hours
hp: horsepower, horsepower
Nm: newton meter, newton meters
N·m: newton meter, newton meters
ppm: part per million, parts per million
kmh: kilometer per hour, kilometers per hour
km/hr: kilometer per hour, kilometers per hour
mpg: mile per gallon, miles per gallon
nmi: nautical mile, nautical miles
kt: knot, knots
ly: light year, light years
mmHg: millimeter of mercury, millimeters of mercury
mm Hg: millimeter of mercury, millimeters of mercury
Ω: ohm, ohms
kΩ: kilohm, kilohms
µm: micrometer, micrometers
µg: microgram, micrograms
mcg: microgram, micrograms
µs: microsecond, microseconds
bpm: beat per minute, beats per minute
wpm: word per minute, words per minute
GHz: gigahertz, gigahertz
THz: terahertz, terahertz
MiB: mebibyte, mebibytes
GiB: gibibyte, gibibytes
KiB: kibibyte, kibibytes
yrs: year, years
yr: year, years
wks: week, weeks
""".strip().splitlines()
    for written, _, names in [line.rpartition(": ")]
    for one, _, many in [names.partition(",")]
}

#: Units that are also words, so that they count only directly after a number.
SHORT_UNITS = frozenset(
    {
        "m",
        "g",
        "l",
        "L",
        "h",
        "s",
        "A",
        "V",
        "W",
        "J",
        "min",
        "sec",
        "cal",
        "gal",
        "Pa",
        "ha",
        "mi",
        "pt",
        "MP",
        "px",
        "hp",
        "kt",
        "ly",
    }
)

#: Units after a slash (per).
PER = table("""
h = hour
hr = hour
s = second
s² = second squared
s2 = second squared
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
m2 = square meter
m3 = cubic meter
cm = centimeter
mm = millimeter
ft = foot
mi = mile
kWh = kilowatt hour
ml = milliliter
mL = milliliter
dL = deciliter
dl = deciliter
kg = kilogram
g = gram
L = liter
l = liter
gal = gallon
lb = pound
person = person
night = night
""")
