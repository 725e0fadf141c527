from . import (
    augment as augment,
    cells as cells,
    crops as crops,
    datasets as datasets,
    embedding as embedding,
    encoders as encoders,
    methods as methods,
    phenotypes as phenotypes,
    pipeline as pipeline,
    plates as plates,
    protocols as protocols,
    report as report,
    scores as scores,
    studies as studies,
    training as training,
)
from .cells import check_crops as check_crops, crop as crop
from .crops import (
    Crops as Crops,
    export_crops as export_crops,
    import_crops as import_crops,
    import_features as import_features,
    join_crops as join_crops,
    label_crops as label_crops,
)
from .datasets import (
    get_data as get_data,
    import_images as import_images,
    verify_data as verify_data,
)
from .embedding import embed as embed
from .phenotypes import (
    aggregate_profiles as aggregate_profiles,
    cluster as cluster,
    combine as combine,
    evaluate as evaluate,
    export_embedding as export_embedding,
    normalise_embedding as normalise_embedding,
    read_embedding as read_embedding,
    similarity as similarity,
)
from .pipeline import demo as demo, doctor as doctor, run as run
from .plates import index as index
from .report import explore as explore, preview as preview
from .studies import (
    audit as audit,
    ceiling as ceiling,
    check_protocol as check_protocol,
    compare as compare,
    invariances as invariances,
    suggest as suggest,
    train as train,
)

__version__: str
