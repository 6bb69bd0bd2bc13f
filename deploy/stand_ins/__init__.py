"""Stand-ins for the three outside parties: population register, SMSC, mail server.

Programs of their own, spoken to over their protocols only (HTTP, SMPP 3.4, SMTP). Each writes down what it
received before it answers, so that a checker can join what clients were told with what really arrived.
"""
