"""The wire: what lies in Kafka's topics, how it is encoded, and the checked-in contract of it.

CloudEvents 1.0 in Kafka's binary mode: attributes are headers, the value is the data alone.
"""
