"""OME-XML that describes many files is looked through once, and says which images lie in each."""

import pytest

from cellssl.plates.layouts.markup import parse
from cellssl.plates.layouts.ome_xml import File, Master

FILES = 50


def _image(number: int, name: str) -> str:
    data = "".join(
        f'<TiffData IFD="{page}"><UUID{name}>urn:uuid:{number}</UUID></TiffData>' for page in (0, 1)
    )
    return f'<Image ID="Image:{number}"><Pixels SizeC="2">{data}</Pixels></Image>'


@pytest.mark.parametrize("named", [True, False])
def test_a_file_is_asked_for_its_own_images_alone(named: bool) -> None:
    """Thousands of files took minutes where each looked through the images of all."""
    images = [_image(n, f' FileName="run/{n}.ome.tif"' * named) for n in range(FILES)]
    master = Master.of(parse(f"<OME>{''.join(images)}</OME>"))
    for number in range(FILES):
        file = File(f"{number}.ome.tif", None if named else f"urn:uuid:{number}", alone=False)
        assert [image for image, _ in master.images_in(file)] == [f"Image:{number}"]
    assert master.images_in(File("other.ome.tif", None, alone=False)) == []
