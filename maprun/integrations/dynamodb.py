"""DynamoDB."""

from maprun.integrations.service import PLAIN, Service, Words

SERVICE = Service(
    "dynamodb",
    {PLAIN: ("getItem", "putItem", "updateItem", "deleteItem")},
    words=Words("DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException"),
)
