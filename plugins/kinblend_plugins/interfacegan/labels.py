"""Names for people of the attributes that directions are commonly of."""

from kinblend import AttributeLabel

LABELS = {
    "age": AttributeLabel("Age", "younger", "older"),
    "beard": AttributeLabel("Beard", "less beard", "more beard"),
    "gender": AttributeLabel("Gender", "female", "male"),
    "hair": AttributeLabel("Hair and brows", "lighter", "darker"),
    "skin": AttributeLabel("Complexion", "lighter", "darker"),
    "smile": AttributeLabel("Smile", "neutral", "smiling"),
    "weight": AttributeLabel("Fullness", "leaner", "fuller"),
    "width": AttributeLabel("Width of the face", "narrow", "wide"),
}
