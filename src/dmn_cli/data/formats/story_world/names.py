"""The people, places and things of the world. bAbI's own come first."""

from __future__ import annotations

from typing import NamedTuple


class Name(NamedTuple):
    """What a person or an animal is called."""

    name: str
    pronoun: str


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _names(women: str, men: str) -> tuple[Name, ...]:
    pairs = zip(women.split(), men.split(), strict=True)
    return tuple(name for woman, man in pairs for name in (Name(woman, "she"), Name(man, "he")))


# bAbI's own, in the order in which its generator considers them.
AT_HOME = (Name("John", "he"), Name("Mary", "she"), Name("Sandra", "she"), Name("Daniel", "he"))
GIVERS = (Name("Mary", "she"), Name("Fred", "he"), Name("Bill", "he"), Name("Jeff", "he"))
IN_TOWN = (Name("Fred", "he"), Name("Mary", "she"), Name("Bill", "he"), Name("Julie", "she"))
HOUSE = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
TOWN = ("bedroom", "cinema", "kitchen", "office", "park", "school")
THINGS = ("apple", "football", "milk")

MORE_PEOPLE = _names(
    """Alice Clara Diana Ella Fiona Grace Hannah Irene Julia Kate Laura Maria Nora Olivia Paula Rachel Sarah Tina
    Vera Wendy Anna Betty Carol Donna Eva Flora Gloria Helen Iris Joan Karen Linda Megan Nina Pamela Rosa Susan Tracy
    Ursula Yvonne Amber Bridget Cindy Doris Edith Felicia Gina Hazel Ingrid Judy""",
    """Adam Brad Carl David Eric Frank George Henry Ivan Jack Kevin Luke Mark Nick Oscar Peter Ralph Simon Thomas
    Victor Walter Alan Boris Conrad Dennis Edgar Felix Gavin Harold Isaac Jerome Keith Leon Martin Neil Owen Patrick
    Quentin Robert Stuart Anton Bruno Clive Derek Ernest Floyd Gerald Hugo Irving Joel""",
)
MORE_PLACES = words(
    """attic balcony basement barn bakery bank beach cafe castle cellar church clinic college den factory farm forest
    garage gym harbour hospital hotel kiosk laundry library lobby market museum nursery pantry patio pharmacy pool
    porch restaurant shed shop stable station studio temple terrace theatre tower tunnel veranda village workshop"""
)
MORE_THINGS = words(
    """ball basket book bottle bowl brush candle coat cup dictionary envelope flute glove hammer hat jacket key kite
    knife lamp letter map mirror newspaper orange painting pear pencil phone pillow plate ring rope scarf shoe spoon
    sweater ticket towel toy umbrella vase violin wallet watch"""
)

# No question is about these.
STRANGERS = words("Agnes Boyd Celia Dora Elmer Ferdinand Gwen Horace Ivy Jonas Lloyd Mildred Nigel Opal Phoebe Roy")

# These never occur in training.
HELD_OUT = _names(
    """Abigail Beatrice Camille Delia Esther Frida Greta Harriet Imogen Jasmine Kirsten Leonie Mabel Noelle Odette Petra
    Rowena Selma Thelma Viola Wilma Xenia Yolanda Zelda Adele""",
    """Albert Basil Cedric Dexter Edmund Fergus Gilbert Hector Ignatius Jasper Kurt Lionel Magnus Norbert Otto Percy
    Rupert Seamus Tobias Ulrich Vincent Wilfred Xavier Yorick Zachary""",
)
