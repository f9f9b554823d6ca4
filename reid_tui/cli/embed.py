"""`reid-tui embed`: pictures into embeddings that other programs read."""

from pathlib import Path
from typing import Annotated

import typer

from reid_tui.cli import options as opt
from reid_tui.cli.trained import Force, opened, out_option, pictures_argument, print_object, tell
from reid_tui.config import DataOptions


def embed(
    context: typer.Context,
    run: Annotated[str, opt.ModelArgument],
    spec: Annotated[str, pictures_argument("SPEC", "A folder of pictures, labelled or not, or a data set.")],
    out: Annotated[str, out_option("An .npz, .csv or .tsv file.")],
    force: Force = False,
    data_dir: opt.DataDir = None,
    image_root: opt.ImageRoot = None,
    camera_pattern: opt.CameraPattern = None,
    device: opt.Device = "auto",
    runs_dir: opt.RunsDir = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Write the embeddings of pictures into a file.

    Of a data set those of its test images, of a source with a split those of its queries and gallery.

    npz: embeddings (N, D) float32, identities (N,), identity_names, paths, and where they are known cameras (N,),
    camera_names and roles (N,) of query, gallery, both. identity_names[identity] is who it is; 0 is a distractor, -1
    nobody known. csv: path, identity, camera, role, then one column a dimension. tsv: vectors, with FILE_metadata.tsv,
    FILE_sprite.png and projector_config.pbtxt for TensorBoard's projector.

    JSON: run, step, source, pictures, identities, dimensions, files.
    """
    from reid_tui.cli.loading import loading_shown
    from reid_tui.using import embedding_files
    from reid_tui.using.output import check_new

    files = embedding_files.planned(Path(out))
    check_new(files, embedding_files.ENDINGS, force=force)
    with loading_shown() as report:
        model = opened(run, runs_dir, device, report)
        from reid_tui.using.gallery import open_gallery

        gallery = open_gallery(model, opt.picked(context, DataOptions, data=spec), report, label="SPEC")
        report("writing the file")
        embedding_files.write(Path(out), gallery, model.card)
    tell((*model.note, *gallery.notes))
    told = embedding_files.facts(model, gallery, files)
    if as_json:
        print_object(told)
    else:
        whom = f"{told['pictures']:,} pictures of {told['identities']:,} identities"
        tell([f"embedded {whom} in {', '.join(told['files'])}"])
    return 0
