"""The tables of the words for float32 and fewer digits: roots of 2, and what ``python -m parity.fit`` computes.

A polynomial's coefficients stand with the highest power first. The tables in pairs are in `refnet.engine.pair_words`.
"""

from __future__ import annotations

#: ln 2 in three parts: of 33 bits, so that n LN2_HI is exact for |n| < 2^20 (fdlibm), and what that leaves as a pair.
LN2_HI, LN2_LO = 0.6931471803691238, (1.9082149292705877e-10, 1.1612227229362532e-26)

#: 2^(n/16) as bits, less n << 48: adding n << 48 for any n, also beyond 15, then gives 2^(n/16).
ROOTS = (
    0x3FF0000000000000,
    0x3FEFB5586CF9890F,
    0x3FEF72B83C7D517B,
    0x3FEF387A6E756238,
    0x3FEF06FE0A31B715,
    0x3FEEDEA64C123422,
    0x3FEEBFDAD5362A27,
    0x3FEEAB07DD485429,
    0x3FEEA09E667F3BCD,
    0x3FEEA11473EB0187,
    0x3FEEACE5422AA0DB,
    0x3FEEC49182A3F090,
    0x3FEEE89F995AD3AD,
    0x3FEF199BDD85529C,
    0x3FEF5818DCFBA487,
    0x3FEFA4AFA2A490DA,
)

#: What their rounding took away for n = -8 to 7, as the bits of a float64.
ROOTS_LOW = (
    0x0000000000000000,
    0x3C98A62E4ADC610B,
    0xBC819041B9D78A76,
    0x3C99B07EB6C70573,
    0x3C86F46AD23182E4,
    0x3C8ADA0911F09EBC,
    0x3C7D4397AFEC42E2,
    0x3C96324C054647AD,
    0xBC8BDD3413B26456,
    0xBC741577EE04992F,
    0x3C86E9F156864B27,
    0x3C6C7C46B071F2BE,
    0x3C87A1CD345DCC81,
    0x3C711065895048DD,
    0x3C72ED02D75B3707,
    0xBC8E9C23179C2893,
)

#: (r coth(r/2) - 2) / r^2, in r^2
COTH = (
    -0.0027777467158147545,
    0.1666666666648431,
)

#: (exp(r) - 1 - r) / r^2
EXP = (
    0.0013889034494096299,
    0.008333449817651228,
    0.04166666666495703,
    0.1666666666529896,
    0.5,
)

#: The same; error 2^-45 of exp(r)
EXP_45 = (
    0.008333426520711666,
    0.04166731897937876,
    0.16666666666119584,
    0.4999999999617042,
)

#: The same; error 2^-36 of exp(r)
EXP_36 = (
    0.04166715590068785,
    0.16666960207694845,
    0.5,
)

#: The same where |r| is below 1/80, for pairs of float32; error 2^-26.5 of this itself
EXP_NEAR = (
    0.04166682942742393,
    0.16666764323189145,
    0.5,
)

#: (exp(r) - 1 - r) / r^2, one degree more: what is left over is small beside r itself
EXPM1 = (
    0.000198414639814658,
    0.0013889063615251755,
    0.008333333332991407,
    0.04166666666358933,
    0.16666666666666669,
    0.5000000000000001,
)

#: (log((1 + s) / (1 - s)) - 2s) / s^3, in s^2, for 1 + x between sqrt(1/2) and sqrt(2)
LOG = (
    0.13089445145246312,
    0.1326850331279476,
    0.15386249788196105,
    0.181817954545265,
    0.2222222239345263,
    0.28571428570795937,
    0.4000000000000089,
    0.6666666666666666,
)

#: The same for 1 + x between 1 and 2; error 2^-58.
LOG_UNIT = (
    0.15631534707431224,
    0.07491639460673266,
    0.10845291032779812,
    0.11734265179376593,
    0.13335179661515711,
    0.15384543917753166,
    0.1818181989926796,
    0.22222222198216113,
    0.28571428571600266,
    0.3999999999999952,
    0.6666666666666666,
)

#: log(1 + x) / x for x from 0 to 1: numerator and denominator, in x; error 2^-36.9
LOG_UNIT_36 = (
    (
        0.02804323266016922,
        3.658369109204933,
        31.46749519023915,
        72.81571655186485,
        48.090236948374944,
    ),
    (
        1.0,
        15.327880223902424,
        63.86783545560544,
        96.86083496484655,
        48.09023694874811,
    ),
)

#: exp(a^2 / 2) times the normal distribution function of -a: numerator and denominator, in a; error 2^-55
TAIL = (
    (
        8.534548811294878e-07,
        2.4856856432861065e-05,
        0.00034978988947387805,
        0.0030913762922039852,
        0.018813368892780173,
        0.0816160441707715,
        0.2527544538222381,
        0.5417687772950663,
        0.7379294552953928,
        0.5,
    ),
    (
        2.139294136724701e-06,
        6.230689908309973e-05,
        0.0008789325253628601,
        0.007811237970241456,
        0.0480306409639282,
        0.21220532437955061,
        0.6789885805087451,
        1.547704348852197,
        2.397722365641445,
        2.273743471393651,
        1.0,
    ),
)
