"""What a user's SQL may say: the functions, types and units that the guard lets through.

An allow-list, so that what ClickHouse gains with a new version is out until somebody has looked at
it. In are functions of their arguments alone, and of the time. Out is whatever reads something
else (files, addresses, dictionaries, tables by name, settings, the server), takes SQL or a
function's name as text, waits, or calls out.
"""

from collections.abc import Iterable
from itertools import product
from typing import Final

AGGREGATES: Final = frozenset("""
any any_value anyHeavy anyLast argMax argMin max_by min_by avg avgWeighted corr corrStable count
covarPop covarSamp covar_pop covar_samp deltaSum deltaSumTimestamp entropy
exponentialMovingAverage first_value last_value groupArray groupArrayLast groupArrayMovingAvg
groupArrayMovingSum groupArraySample groupArraySorted groupBitAnd groupBitOr groupBitXor
groupConcat groupUniqArray histogram intervalLengthSum kolmogorovSmirnovTest kurtPop kurtSamp
largestTriangleThreeBuckets lttb mannWhitneyUTest max maxIntersections maxMappedArrays median
medianExact medianTDigest min minMappedArrays quantile quantileExact quantileExactHigh
quantileExactLow quantileExactWeighted quantileInterpolatedWeighted quantileTDigest
quantileTDigestWeighted quantiles quantilesExact quantilesTDigest rankCorr regr_intercept regr_r2
regr_slope simpleLinearRegression singleValueOrNull skewPop skewSamp sparkbar stddev_pop
stddev_samp stddevPop stddevSamp studentTTest sum sumCount sumKahan sumMappedArrays
sumWithOverflow topK topKWeighted uniq uniqCombined uniqCombined64 uniqExact uniqHLL12 varPop
varSamp var_pop var_samp welchTTest windowFunnel
""".split())  # fmt: skip

COMBINATORS: Final = (
    "If",
    "Array",
    "Distinct",
    "OrNull",
    "OrDefault",
    "ForEach",
    "Map",
    "ArgMin",
    "ArgMax",
)
"""What an aggregate's name may end with. Not -State and -Merge: an aggregation's inner bytes."""

_MOST_COMBINATORS: Final = 3

_WINDOW: Final = """
cume_dist dense_rank lag lagInFrame lead leadInFrame nonNegativeDerivative nth_value ntile
percent_rank rank row_number
"""

_CONDITIONS: Final = """
and assumeNotNull caseWithExpression coalesce equals firstNonDefault greater greaterOrEquals
greatest if ifNotFinite ifNull ilike isDistinctFrom isFinite isInfinite isNaN isNotDistinctFrom
isNotNull isNull isZeroOrNull least less lessOrEquals like multiIf not notEquals notILike notLike
nullIf or toNullable transform xor
"""

_MATH: Final = """
abs acos acosh asin asinh atan atan2 atanh bitAnd bitCount bitNot bitOr bitShiftLeft
bitShiftRight bitTest bitXor byteSwap cbrt ceil ceiling clamp cos cosh degrees divide divideOrNull e
erf erfc exp exp10 exp2 factorial floor gcd hypot intDiv intDivOrNull intDivOrZero intExp10 intExp2
lcm lgamma ln log log10 log1p log2 max2 min2 minus mod modulo moduloOrNull moduloOrZero multiply
negate pi plus positiveModulo pow power radians rand rand32 rand64 randCanonical round roundBankers
roundDown roundToExp2 sigmoid sign sin sinh sqrt tan tanh tgamma trunc truncate widthBucket
"""

_STRINGS: Final = """
alphaTokens appendTrailingCharIfAbsent ascii base58Decode base58Encode base64Decode base64Encode
bar basename bin char char_length concat concatWithSeparator concat_ws countMatches
countMatchesCaseInsensitive countSubstrings damerauLevenshteinDistance editDistance empty endsWith
extract extractAll extractAllGroups extractGroups extractKeyValuePairs firstLine format
formatReadableDecimalSize formatReadableQuantity formatReadableSize formatReadableTimeDelta
hasSubsequence hasToken hasTokenCaseInsensitive hex initcap initcapUTF8 instr isValidUTF8
jaroWinklerSimilarity lcase left leftPad leftPadUTF8 leftUTF8 length lengthUTF8
levenshteinDistance locate lower lowerUTF8 lpad ltrim match mid multiSearchAny
multiSearchAnyCaseInsensitive multiSearchFirstIndex multiSearchFirstPosition naturalSortKey
ngramDistance ngramSearch normalizeUTF8NFC notEmpty notMatch octet_length position
positionCaseInsensitive positionUTF8 printf regexpExtract regexpQuoteMeta repeat replace
replaceAll replaceOne replaceRegexpAll replaceRegexpOne reverse reverseUTF8 right rightPad
rightPadUTF8 rightUTF8 rpad rtrim soundex space splitByAlpha splitByChar splitByNonAlpha
splitByRegexp splitByString splitByWhitespace startsWith substr substring substringIndex
substringUTF8 toValidUTF8 tokens translate translateUTF8 trim trimBoth trimLeft trimRight ucase
unhex upper upperUTF8
"""

_TIMES: Final = """
addDays addHours addMicroseconds addMilliseconds addMinutes addMonths addQuarters addSeconds
addWeeks addYears age dateDiff date_diff dateName dateTrunc date_trunc formatDateTime
fromUnixTimestamp fromUnixTimestamp64Micro fromUnixTimestamp64Milli fromUnixTimestamp64Nano
fromUnixTimestamp64Second makeDate makeDateTime makeDateTime64 monthName now now64 parseDateTime
parseDateTime64BestEffort parseDateTime64BestEffortOrNull parseDateTimeBestEffort
parseDateTimeBestEffortOrNull parseDateTimeOrNull subtractDays subtractHours subtractMicroseconds
subtractMilliseconds subtractMinutes subtractMonths subtractQuarters subtractSeconds subtractWeeks
subtractYears timeSlot timeSlots toDate toDate32 toDateOrNull toDateTime toDateTime64
toDateTime64OrNull toDateTimeOrNull toDayOfMonth toDayOfWeek toDayOfYear toDaysInMonth toHour
toISOWeek toISOYear toIntervalDay toIntervalHour toIntervalMicrosecond toIntervalMillisecond
toIntervalMinute toIntervalMonth toIntervalQuarter toIntervalSecond toIntervalWeek toIntervalYear
toLastDayOfMonth toLastDayOfWeek toMillisecond toMinute toMonday toMonth toQuarter
toRelativeDayNum toRelativeHourNum toRelativeMinuteNum toRelativeMonthNum toRelativeSecondNum
toRelativeWeekNum toSecond toStartOfDay toStartOfFifteenMinutes toStartOfFiveMinutes toStartOfHour
toStartOfInterval toStartOfMillisecond toStartOfMinute toStartOfMonth toStartOfQuarter
toStartOfSecond toStartOfTenMinutes toStartOfWeek toStartOfYear toTimeZone toUnixTimestamp
toUnixTimestamp64Micro toUnixTimestamp64Milli toUnixTimestamp64Nano toUnixTimestamp64Second toWeek
toYYYYMM toYYYYMMDD toYYYYMMDDhhmmss toYear toYearWeek today yesterday
"""

_CONVERSIONS: Final = """
bitmaskToArray byteSize identity reinterpretAsFloat32 reinterpretAsFloat64
reinterpretAsInt64 reinterpretAsString reinterpretAsUInt64 reinterpretAsUUID toBool toDecimal128
toDecimal128OrNull toDecimal32 toDecimal32OrNull toDecimal64 toDecimal64OrNull toDecimalString
toFixedString toFloat32 toFloat32OrNull toFloat32OrZero toFloat64 toFloat64OrDefault
toFloat64OrNull toFloat64OrZero toInt128 toInt16 toInt16OrNull toInt256 toInt32 toInt32OrNull
toInt32OrZero toInt64 toInt64OrDefault toInt64OrNull toInt64OrZero toInt8 toInt8OrNull toString
toTypeName toUInt128 toUInt16 toUInt16OrNull toUInt256 toUInt32 toUInt32OrNull toUInt32OrZero
toUInt64 toUInt64OrDefault toUInt64OrNull toUInt64OrZero toUInt8 toUInt8OrNull toUUID toUUIDOrNull
UUIDNumToString UUIDStringToNum
"""

_COLLECTIONS: Final = """
array arrayAUC arrayAll arrayAvg arrayCompact arrayConcat arrayCount arrayCumSum
arrayCumSumNonNegative arrayDifference arrayDistinct arrayDotProduct arrayElement
arrayElementOrNull arrayEnumerate arrayEnumerateDense arrayEnumerateUniq arrayExcept arrayExists
arrayFill arrayFilter arrayFirst arrayFirstIndex arrayFirstOrNull arrayFlatten arrayFold
arrayIntersect arrayJaccardIndex arrayJoin arrayLast arrayLastIndex arrayLastOrNull arrayMap
arrayMax arrayMin arrayPartialSort arrayPopBack arrayPopFront arrayProduct arrayPushBack
arrayPushFront arrayReverse arrayReverseFill arrayReverseSort arrayReverseSplit
arrayRotateLeft arrayRotateRight arrayShiftLeft arrayShiftRight arrayShingles arraySlice arraySort
arraySplit arrayStringConcat arraySum arrayUniq arrayZip cosineDistance
countEqual distanceL1 distanceL2 dotProduct emptyArrayFloat64 emptyArrayString emptyArrayUInt64
emptyArrayToSingle flatten has hasAll hasAny hasSubstr indexOf map mapAdd mapApply mapConcat
mapContains mapContainsKey mapExists mapFilter mapFromArrays mapKeys mapReverseSort mapSort
mapSubtract mapUpdate mapValues normL1 normL2 range tuple tupleConcat tupleDivide tupleElement
tupleMinus tupleMultiply tuplePlus
"""

_JSON: Final = """
JSONArrayLength JSONExtract JSONExtractArrayRaw JSONExtractBool JSONExtractFloat JSONExtractInt
JSONExtractKeys JSONExtractKeysAndValues JSONExtractKeysAndValuesRaw JSONExtractRaw
JSONExtractString JSONExtractUInt JSONHas JSONLength JSONType JSON_EXISTS JSON_QUERY JSON_VALUE
isValidJSON simpleJSONExtractBool simpleJSONExtractFloat simpleJSONExtractInt simpleJSONExtractRaw
simpleJSONExtractString simpleJSONExtractUInt simpleJSONHas toJSONString
"""

_HASHES: Final = (
    "CRC32 MD5 SHA1 SHA256 cityHash64 farmHash64 halfMD5 murmurHash3_64 sipHash64 xxHash64"
)

FUNCTIONS: Final = frozenset(
    " ".join(
        (_WINDOW, _CONDITIONS, _MATH, _STRINGS, _TIMES, _CONVERSIONS, _COLLECTIONS, _JSON, _HASHES)
    ).split()
)

CALLS_WITHOUT_BRACKETS: Final = frozenset("""
currenthandler currentrequesturl currentuser current_user session_user user
currentdatabase current_database database schema
""".split())  # fmt: skip
"""Names, in lower case, that ClickHouse reads as a call although no brackets follow, and quoted
too: of functions that tell of the server. (Those of the time, as `now` and `today`, may stay.)"""

NO_TIME_ZONE: Final = frozenset("makeDate timeSlots".split())
_TIME_ZONE_ELSEWHERE: Final = {
    "now": 0, "age": 3, "dateDiff": 3, "date_diff": 3, "makeDateTime": 6, "makeDateTime64": 8,
    **dict.fromkeys(
        "dateName dateTrunc date_trunc formatDateTime fromUnixTimestamp parseDateTime "
        "parseDateTimeOrNull parseDateTime64BestEffort parseDateTime64BestEffortOrNull "
        "toDateTime64 toDateTime64OrNull toDayOfWeek toLastDayOfWeek toStartOfInterval "
        "toStartOfWeek toWeek toYearWeek".split(),
        2,
    ),
}  # fmt: skip
TIME_ZONE_AT: Final = {
    name: 2 if name.startswith(("add", "subtract")) else _TIME_ZONE_ELSEWHERE.get(name, 1)
    for name in (*_TIMES.split(), "toString")
    if name not in NO_TIME_ZONE
}
"""From which argument on a function takes the name of a time zone (or a number before it)."""

TAKES_TYPE: Final = frozenset({"JSONExtract", "JSONExtractKeysAndValues"})
"""Functions whose last argument is a type, as text."""

REFUSED_FORMS: Final = {
    "any": "Write x IN (SELECT …).",
    "within group": "Write quantile(0.5)(x).",
    "hex string": "Write a decimal number, or unhex('…') for bytes.",
    "extract": "Write toYear(x), toMonth(x), ….",
    "at time zone": "Write toTimeZone(x, 'Europe/Berlin').",
    "collate": "Write lowerUTF8(x).",
}
"""What to write instead of forms that are known elsewhere; all others are refused without."""

REFUSED_CLAUSES: Final = {
    "prewhere": "Write WHERE.",
    "totals": "Write GROUP BY ROLLUP (a): the totals come as a row.",
    "recursive": "Name each level: join the view with itself.",
    "sample": "Write WHERE rand() % 10 = 0.",
    "settings": "Limits are the gateway's. Leave it out.",
    "format": "The answer's form is asked for outside of SQL. Leave it out.",
    "into": "The answer goes to who asks. Leave it out.",
}
"""What to write instead of clauses."""

TYPES: Final = frozenset("""
Array Bool Date Date32 DateTime DateTime64 Decimal FixedString Float32 Float64 Int128 Int16 Int256
Int32 Int64 Int8 LowCardinality Map Nullable String Tuple UInt128 UInt16 UInt256 UInt32 UInt64 UInt8
UUID
""".split())  # fmt: skip
"""What a cast may be made of."""

UNITS: Final = frozenset(
    "MICROSECOND MILLISECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR".split()
)
"""What an INTERVAL may be counted in."""


def function_names() -> Iterable[str]:
    """Every function, and every aggregate alone and with each one combinator."""
    yield from sorted(FUNCTIONS)
    for name, combinator in product(sorted(AGGREGATES), ("", *COMBINATORS)):
        yield name + combinator


def find_function(name: str) -> str | None:
    """The function's name as ClickHouse writes it, None where it is not allowed.

    Case is forgiven, as in SQL: COUNT is count.
    """
    if name in FUNCTIONS:
        return name
    if (aggregate := _find_aggregate(name, _MOST_COMBINATORS)) is not None:
        return aggregate
    return _BY_LOWER_CASE.get(name.lower())


def _find_aggregate(name: str, combinators: int) -> str | None:
    if name in AGGREGATES:
        return name
    for ending in COMBINATORS if combinators else ():
        begin = name.removesuffix(ending)
        if begin != name and (found := _find_aggregate(begin, combinators - 1)) is not None:
            return found + ending
    return None


_BY_LOWER_CASE: Final = {name.lower(): name for name in function_names()}
