"""Names for people of the attributes that directions are commonly of."""

from kinblend import AttributeLabel

LABELS = {
    "age": AttributeLabel("Age", "younger", "older"),
    "beard": AttributeLabel("Beard", "less beard", "more beard"),
    "gender": AttributeLabel("Features", "more feminine", "more masculine"),
    "glasses": AttributeLabel("Glasses", "no glasses", "glasses"),
    "hair": AttributeLabel("Hair and brows", "lighter", "darker"),
    "hair_length": AttributeLabel("Length of the hair", "shorter", "longer"),
    "hat": AttributeLabel("Hat", "no hat", "a hat"),
    "mouth": AttributeLabel("Mouth", "closed", "open"),
    "redness": AttributeLabel("Red cheeks", "paler", "redder"),
    "skin": AttributeLabel("Complexion", "lighter", "darker"),
    "smile": AttributeLabel("Smile", "neutral", "smiling"),
    "stubble": AttributeLabel("Stubble", "less stubble", "more stubble"),
    "weight": AttributeLabel("Fullness", "leaner", "fuller"),
    "width": AttributeLabel("Width of the face", "narrow", "wide"),
}
