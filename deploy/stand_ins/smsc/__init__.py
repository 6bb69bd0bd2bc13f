"""Stand-in SMSC: a real SMPP 3.4 server that delivers to nobody and keeps everything.

``texts`` turns what came over the wire into text, ``messages`` keeps it and puts long messages together,
``sessions`` speaks SMPP, ``receipts`` sends the delivery receipts. PDUs are packed and read by the library
``smpp34``, so that both ends of a test do not share one codec's mistakes (services use ``smpplib``).
"""
