

def container(task_id, stage, commands, image, folder="", makes=(), keeps=(), **more):
    """A stage in a container that sees the project's folder, as the user that Airflow runs as."""
    return DockerOperator(
        task_id=task_id,
        task_display_name=stage,
        image=image,
        entrypoint=["/bin/sh", "-c"],
        command=[script(stage, commands, "/bin/sh", folder, makes, keeps)],
        mounts=[Mount(source=plain(PROJECT), target=plain(PROJECT), type="bind")],
        environment={"HOME": "/tmp"},
        user=f"{os.getuid()}:{os.getgid()}",
        mount_tmp_dir=False,
        auto_remove="force",
        skip_on_exit_code=None,
        **more,
    )
