"""AWS's tutorial function `distributedMapLambda`: says what it was given."""


def handler(event, context):
    """Answer the event with a status code."""
    return {"statusCode": 200, "inputReceived": event}
